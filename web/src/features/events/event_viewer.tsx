import { useEffect, useState } from "react";
import { useActing } from "../../api/acting";
import { follow, type LiveState } from "../../api/live";
import { useFilters } from "../../lib/filters";
import { formatTime } from "../../lib/format";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table } from "../../ui/table";
import { eventOf, matches, type ShownEvent } from "./shown_event";

/** The page keeps the latest of them. */
const MOST_SHOWN = 200;

/** Events of the account and those below it, as they happen. */
export function EventViewer() {
  const { account } = useActing();
  const [events, setEvents] = useState<readonly ShownEvent[]>([]);
  const [state, setState] = useState<LiveState>("connecting");
  const [isPaused, setPaused] = useState(false);
  const { values, change, clear, isFiltered } = useFilters(["type", "q"]);

  useEffect(() => {
    if (isPaused) return;
    return follow(account.id, {
      onState: setState,
      onGap: () => {},
      onMessage: (message) => {
        const event = eventOf(message);
        if (event === undefined) return;
        setEvents((before) => [event, ...before].slice(0, MOST_SHOWN));
      },
    });
  }, [account.id, isPaused]);

  const shown = events.filter((event) => matches(event, values));
  const columns: Column<ShownEvent>[] = [
    { title: "Time", cell: ({ time }) => formatTime(time, account.time_zone) },
    { title: "Type", cell: ({ type }) => type },
    { title: "Call", cell: ({ call }) => <span className="mono">{call ?? ""}</span> },
    {
      title: "Number in the call",
      align: "end",
      cell: ({ sequence }) => (sequence === 0 ? "" : sequence),
    },
    {
      title: "Data",
      wraps: true,
      cell: ({ data }) => <span className="mono">{JSON.stringify(data)}</span>,
    },
  ];

  return (
    <Page
      title="Events"
      aside={
        <Badge tone={isPaused ? "neutral" : state === "live" ? "good" : "busy"}>
          {isPaused ? "Paused" : state === "live" ? "Live" : "Connecting…"}
        </Badge>
      }
      actions={
        <>
          <Button onClick={() => setEvents([])}>Clear</Button>
          <Button onClick={() => setPaused(!isPaused)}>{isPaused ? "Go on" : "Pause"}</Button>
        </>
      }
    >
      <div className="filters">
        <Field label="Search" className="field-search">
          {(control) => (
            <input
              {...control}
              type="search"
              placeholder="Number, call, value…"
              value={values.q}
              onChange={(event) => change({ q: event.target.value })}
            />
          )}
        </Field>
        <Field label="Type">
          {(control) => (
            <input
              {...control}
              placeholder="call. or leg.ended"
              value={values.type}
              onChange={(event) => change({ type: event.target.value })}
            />
          )}
        </Field>
        {isFiltered && <Button onClick={clear}>Clear filters</Button>}
      </div>
      {shown.length === 0 ? (
        <Empty title={events.length === 0 ? "Nothing has happened yet" : "No event matches"}>
          <p className="quiet">
            Events appear here as they happen, such as those of a call that you make now.
          </p>
        </Empty>
      ) : (
        <Table label="Events" columns={columns} rows={shown} rowKey={({ id }) => id} />
      )}
    </Page>
  );
}
