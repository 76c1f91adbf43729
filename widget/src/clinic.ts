/** What a visitor sees of the clinic; it comes with the loader, so that it is there when the server is not. */
export interface Clinic {
  name: string;
  phone: string;
  phoneLink: string;
  emergency: string;
  crisis: string;
  /** The words of the button. */
  label: string;
  /** What stands in the empty field. */
  placeholder: string;
  /** What is kept of a chat and for how long, in one sentence. */
  privacy: string;
  /** The page that says more about it, or nothing. */
  privacyPage: string;
  /** The host that served this, for a copy of the script that no longer knows where it came from. */
  host: string;
}
