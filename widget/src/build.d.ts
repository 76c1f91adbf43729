declare module "*.css" {
  const text: string;
  export default text;
}
/** The chat's file name and version, set by build.mjs. */
declare const CHAT: string;
/** The clinic's details, set by the server when it serves widget.js. */
declare const __CLINIC__: import("./clinic").Clinic;
