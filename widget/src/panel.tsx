import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Banner } from "./banner";
import type { Clinic } from "./clinic";
import { Composer } from "./composer";
import type { Conversation } from "./conversation";
import { Header } from "./header";
import { Icon } from "./icons";
import { Message } from "./message";
import type { Settings } from "./settings";
import type { Button, Entry, States } from "./state";
import { filled, words } from "./words";

/** How far from its end, in pixels, a talk still counts as read to the end. */
const NEAR = 40;

export interface PanelProps {
  clinic: Clinic;
  settings: Settings;
  conversation: Conversation;
  states: States;
  /** What closes it, where it can be closed. */
  close?: () => void;
}

/** The chat from head to foot. */
export function Panel({ clinic, settings, conversation, states, close }: PanelProps) {
  const { entries } = conversation.state;
  const log = useRef<HTMLDivElement>(null);
  const wantsFocus = useRef(false);
  const { newer, follow, scrolled } = useFollowing(log, entries, conversation);
  const lastVisitor = findLast(entries, entries.length, (entry) => entry.from === "visitor");
  const oldRating = findLast(entries, lastVisitor, (entry) => Boolean(entry.response));
  const chosen = chosenPayloads(entries);

  // These stay the same from one rendering to the next, so that a message that has not changed is not rendered again.
  const acts = useRef({
    choose: (button: Button) => {
      wantsFocus.current = true;
      conversation.say(button.title, button.payload);
      log.current?.focus();
    },
    rate: conversation.rate.bind(conversation),
  }).current;

  // Who chose by a key goes on at the answer, not before all that was said.
  useEffect(() => {
    if (!wantsFocus.current || entries.at(-1)?.from !== "assistant") return;
    wantsFocus.current = false;
    log.current?.querySelectorAll<HTMLElement>(".entry")[lastVisitor + 1]?.focus({ preventScroll: true });
  }, [entries.at(-1)?.id]);

  const questions = lastVisitor < 0 && entries.length > 0 ? (settings.questions?.split("|") ?? []) : [];
  return (
    <>
      <Header clinic={clinic} settings={settings} conversation={conversation} close={close} />
      <Banner clinic={clinic} conversation={conversation} />
      <div class="log" role="log" lang="en" aria-live="off" aria-label={words.talk} tabIndex={0} ref={log} onScroll={scrolled}>
        <p class="privacy">
          {clinic.privacy}{" "}
          {clinic.privacyPage && (
            <a href={clinic.privacyPage} target="_blank" rel="noopener noreferrer">
              {words.policy}
            </a>
          )}
        </p>
        {settings.greeting && <p class="bubble">{settings.greeting}</p>}
        {entries.map((entry, index) => (
          <Message
            key={entry.id}
            entry={entry}
            clinic={clinic}
            sending={conversation.answering && entry.delivery === "waiting"}
            chosen={chosen[index]}
            choose={index > lastVisitor ? acts.choose : undefined}
            rate={acts.rate}
            stops={index > lastVisitor ? 2 : index === oldRating ? 1 : 0}
          />
        ))}
        {questions.length > 0 && (
          <div class="choices">
            {questions.map((question) => (
              <button key={question} type="button" onClick={() => acts.choose({ title: question, payload: question })}>
                {question}
              </button>
            ))}
          </div>
        )}
        {conversation.answering && (
          <div class="typing" aria-hidden="true">
            <i />
            <i />
            <i />
          </div>
        )}
      </div>
      <div class="below">
        {newer && (
          <button type="button" class="newer" onClick={follow}>
            {words.newer} <Icon name="downward" />
          </button>
        )}
      </div>
      <Regret conversation={conversation} />
      <Composer say={(text) => conversation.say(text)} states={states} placeholder={settings.placeholder ?? clinic.placeholder} />
      <p class="foot">{filled(words.foot, { number: clinic.emergency })}</p>
    </>
  );
}

/** Bring what is said into view, unless the visitor is reading what was said before; then tell that there is more. */
function useFollowing(log: { current: HTMLDivElement | null }, entries: Entry[], conversation: Conversation) {
  const [newer, setNewer] = useState(false);
  const place = useRef({ follows: true, top: 0, seen: "" }).current;
  const last = entries.at(-1);

  const follow = () => {
    const list = log.current;
    if (!list) return;
    const said = list.querySelectorAll<HTMLElement>(".entry");
    const lastVisitor = findLast(entries, entries.length, (entry) => entry.from === "visitor");
    let target = said[Math.max(lastVisitor, 0)];
    const answer = said[lastVisitor + 1];
    // Where one's own words take up much of the room, the answer comes first.
    if (lastVisitor >= 0 && target && answer && target.offsetHeight > list.clientHeight * 0.4) target = answer;
    list.scrollTop = target && lastVisitor >= 0 ? target.offsetTop - list.offsetTop - 12 : 0;
    place.top = list.scrollTop;
    place.follows = true;
    setNewer(false);
  };
  useLayoutEffect(() => {
    const isNew = last !== undefined && last.id !== place.seen;
    place.seen = last?.id ?? "";
    if (place.follows || !isNew || last.from === "visitor" || entries.length < 3) follow();
    else setNewer(true);
  }, [last?.id, conversation.answering, conversation.watched]);

  const scrolled = () => {
    const list = log.current;
    if (!list || Math.abs(list.scrollTop - place.top) < 2) return;
    place.follows = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
    if (place.follows) setNewer(false);
  };
  return { newer, follow, scrolled };
}

/** Offers, for a moment, to bring back what was forgotten. */
function Regret({ conversation }: { conversation: Conversation }) {
  return (
    <div role="status">
      {conversation.regrettable && (
        <p class="regret">
          {conversation.state.token ? words.restarted : words.deleted}
          <button type="button" onClick={() => conversation.undo()}>
            {words.undo}
          </button>
        </p>
      )}
    </div>
  );
}

/** Return for each entry the payload of what the visitor said next. */
function chosenPayloads(entries: Entry[]): (string | undefined)[] {
  const chosen: (string | undefined)[] = [];
  let next: string | undefined;
  for (let index = entries.length - 1; index >= 0; index--) {
    chosen[index] = next;
    if (entries[index]!.from === "visitor") next = entries[index]!.payload;
  }
  return chosen;
}

/** Return the place of the last entry before `end` that is as asked, or -1. */
function findLast(entries: Entry[], end: number, is: (entry: Entry) => boolean): number {
  let index = end - 1;
  while (index >= 0 && !is(entries[index]!)) index--;
  return index;
}
