import { useEffect, useState } from "preact/hooks";
import type { PanelProps } from "./panel";
import { filled, words } from "./words";

/** Says why nothing is answered just now, and whom to call. */
export function Banner({ clinic, conversation }: Pick<PanelProps, "clinic" | "conversation">) {
  const seconds = useSecondsUntil(conversation.slowedUntil);
  const fault = why(conversation, seconds);
  const waits = fault !== words.unwelcome && conversation.state.entries.some((entry) => entry.delivery === "waiting");
  return (
    <div role="status">
      {fault && (
        <p class="banner">
          {fault} {waits && words.kept} {words.canCall} <a href={clinic.phoneLink}>{clinic.phone}</a>.
        </p>
      )}
    </div>
  );
}

function why(conversation: PanelProps["conversation"], seconds: number): string {
  if (!navigator.onLine) return words.offline;
  if (conversation.unwelcome) return words.unwelcome;
  if (!conversation.reachable) return words.away;
  return seconds > 0 ? filled(words.slowed, { seconds }) : "";
}

/** Return the seconds until a moment, counted down. */
function useSecondsUntil(moment: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    setNow(Date.now());
    if (moment <= Date.now()) return;
    const timer = window.setInterval(() => setNow(Date.now()), 1000);
    return () => window.clearInterval(timer);
  }, [moment]);
  return Math.ceil((moment - now) / 1000);
}
