import { Component, type FunctionComponent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Clinic } from "./clinic";
import { Icon } from "./icons";
import type { Button, Entry, Reason, Verdict } from "./state";
import { linked } from "./text";
import { clock } from "./transcript";
import { filled, words } from "./words";

const REASONS: Reason[] = ["unasked", "unclear", "wrong"];

interface MessageProps {
  entry: Entry;
  clinic: Clinic;
  /** Whether it is on its way just now. */
  sending: boolean;
  /** The payload that was chosen from its buttons. */
  chosen?: string;
  /** What choosing does, while there is a choice. */
  choose?: (button: Button) => void;
  rate: (id: string, verdict?: Verdict, reason?: Reason) => void;
  /** How many of its ratings the Tab key stops at: of older ones the first, and arrows lead to the others. */
  stops: 0 | 1 | 2;
}

/** Return a view that is rendered again only when one of its properties is another. */
function memo<Props extends object>(View: FunctionComponent<Props>) {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      return Object.keys({ ...this.props, ...next }).some((name) => next[name as keyof Props] !== this.props[name as keyof Props]);
    }

    override render() {
      return <View {...this.props} />;
    }
  };
}

/** What was said once, by whom and when, with what can be chosen after it. */
export const Message = memo(function Message({ entry, clinic, sending, chosen, choose, rate, stops }: MessageProps) {
  if (entry.from === "notice") {
    return <p class="entry notice">{linked(filled(entry.text, { phone: clinic.phone }), clinic)}</p>;
  }
  const isVisitors = entry.from === "visitor";
  const delivery = entry.delivery && !sending ? { waiting: words.waiting, refused: words.notSent }[entry.delivery] : "";
  return (
    <div class={`entry ${entry.from}`} role="group" aria-labelledby={`about-${entry.id}`} tabIndex={-1}>
      <p class="about" id={`about-${entry.id}`}>
        {isVisitors ? words.you : words.assistant}{" "}
        <time dateTime={new Date(entry.at).toISOString()}>{clock(entry.at)}</time>
        {delivery && <span> · {delivery}</span>}
      </p>
      <div class="bubble">
        <p>{isVisitors ? entry.text : linked(entry.text, clinic)}</p>
        {!!entry.card?.length && (
          <dl>
            {entry.card.map(([label, value]) => (
              <div key={label}>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {entry.source && (
          <p class="source">
            {words.source}: {entry.source}
          </p>
        )}
      </div>
      {entry.response && <Rating entry={entry} clinic={clinic} rate={rate} stops={stops} />}
      {!!entry.buttons?.length && (
        <div class="choices">
          {entry.buttons.map((button) => (
            <button
              key={button.payload}
              type="button"
              class={button.payload === chosen ? "chosen" : undefined}
              disabled={!choose}
              onClick={() => choose?.(button)}
            >
              {button.title}
            </button>
          ))}
        </div>
      )}
    </div>
  );
});

function Rating({ entry, clinic, rate, stops }: Pick<MessageProps, "entry" | "clinic" | "rate" | "stops">) {
  const { id, verdict, reason } = entry;
  const why = useRef<HTMLDivElement>(null);
  useEffect(() => why.current?.scrollIntoView({ block: "nearest" }), [verdict]);
  const thumb = (which: Verdict, label: string, isStop: boolean) => (
    <button
      class="icon"
      type="button"
      aria-label={label}
      title={label}
      aria-pressed={verdict === which}
      tabIndex={isStop ? undefined : -1}
      onClick={() => rate(id, verdict === which ? undefined : which)}
    >
      <Icon name={which} />
    </button>
  );
  return (
    <>
      <div class="rating" role="group" aria-label={words.rating}>
        {thumb("up", words.helped, stops > 0)}
        {thumb("down", words.helpedNot, stops > 1)}
        <span role="status">{entry.unrated ? words.unrated : verdict === "up" || reason ? words.thanks : ""}</span>
      </div>
      {verdict === "down" && (
        <div class="why" role="group" aria-label={words.why} ref={why}>
          {!reason && (
            <>
              <p>{words.why}</p>
              <div class="choices">
                {REASONS.map((name) => (
                  <button key={name} type="button" onClick={() => rate(id, "down", name)}>
                    {words[name]}
                  </button>
                ))}
              </div>
            </>
          )}
          <p>
            {words.person} <a href={clinic.phoneLink}>{clinic.phone}</a>
          </p>
        </div>
      )}
    </>
  );
}
