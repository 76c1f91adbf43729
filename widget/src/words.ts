/** All that the chat itself says; the clinic's own words come with the clinic. A page may put others in their place. */
export const words = {
  assistant: "Automated assistant",
  you: "You",
  emergency: "Emergency: call",
  call: "Call {name} at {phone}",
  more: "More",
  close: "Close the chat",
  hide: "Hide this",
  talk: "Conversation",
  field: "Your message",
  send: "Send",
  left: "{count} characters left",
  cut: "Cut after {count} characters",
  foot: "Not a diagnosis. In an emergency, call {number}.",
  policy: "Privacy policy",
  source: "Source",
  waiting: "Waiting to be sent",
  notSent: "Not sent",
  writing: "The assistant is writing.",
  newer: "New answer",
  // The menu.
  copy: "Copy this chat",
  copied: "Copied.",
  save: "Save it as a file",
  print: "Print it",
  startOver: "Start over",
  startOverWhat: "Forget this chat and begin again",
  delete: "Delete this chat",
  deleteWhat: "Here and on our server",
  undo: "Undo",
  // Ratings.
  rating: "Did this answer help?",
  helped: "This answer helped",
  helpedNot: "This answer did not help",
  thanks: "Thank you",
  unrated: "That could not be kept. Please try again.",
  why: "What was wrong with it?",
  unasked: "Not what I asked",
  unclear: "Hard to understand",
  wrong: "Seems wrong",
  person: "Talk to a person:",
  // Notices.
  ended: "This chat was left alone for a while, so it has ended and was deleted.",
  lost: "The chat before this message has ended, so I no longer know what was said in it.",
  deleted: "This chat has been deleted.",
  restarted: "The chat before has been deleted.",
  refused: "This message could not be taken. Please try other words, or call {phone}.",
  offline: "You are offline.",
  away: "The assistant cannot be reached just now.",
  unwelcome: "The assistant does not work on this page.",
  slowed: "Too much at once: this goes on in {seconds} s.",
  kept: "Your message is kept and will be sent once.",
  canCall: "You can always call",
};

/** Put other words in place of these: the text of a JSON object, as a page gives it; names that are not known are left out. */
export function reword(json = "{}"): void {
  try {
    for (const [name, text] of Object.entries(JSON.parse(json))) {
      if (name in words) words[name as keyof typeof words] = String(text);
    }
  } catch {
    console.warn("data-words of the clinic's chat is no JSON object.");
  }
}

/** Return a text with the values for its names in braces. */
export function filled(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
