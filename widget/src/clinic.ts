/** What a visitor sees of the clinic; it comes with the loader, so that it is there when the server is not. */
export interface Clinic {
  name: string;
  phone: string;
  phoneLink: string;
  emergency: string;
  crisis: string;
}
