/** Say in the console, in one sentence, what a page's own policy forbids the chat and what to add to it. */
export function explainPolicy(server: string): void {
  const { origin } = new URL(server);
  const told = new Set<string>();
  document.addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
    if (!blockedURI.startsWith(origin) || told.has(effectiveDirective)) return;
    told.add(effectiveDirective);
    console.warn(`This page's Content-Security-Policy keeps the clinic's chat from its server: add ${origin} to ${effectiveDirective}.`);
  });
}
