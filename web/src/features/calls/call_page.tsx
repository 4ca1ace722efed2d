import { Link, useParams } from "react-router";
import { useActing } from "../../api/acting";
import { partiesOf } from "../../api/parties";
import type { Call, Leg } from "../../api/types";
import { formatDateTime, formatDuration, formatNumber } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Failure, Loading } from "../../ui/notice";
import { Facts, Page, Panel } from "../../ui/page";
import { type Column, Table } from "../../ui/table";
import { OUTCOME_TONES, STATE_TONES, useCall } from "./calls";
import { HangUpButton } from "./hang_up_button";
import { RecordingPlayer } from "./recording_player";
import { TimeAxis } from "./time_axis";

const BACK = { to: "../records", label: "Call records" };

export function CallPage() {
  const { account } = useActing();
  const { call: id = "" } = useParams();
  const call = useCall(account.id, id);
  if (call.data) return <Detail call={call.data} />;
  return (
    <Page title="Call" back={BACK}>
      {call.error ? (
        <Failure
          title="The call could not be loaded"
          error={call.error}
          onRetry={() => void call.refetch()}
        />
      ) : (
        <Loading label="Loading the call" />
      )}
    </Page>
  );
}

function Detail({ call }: { call: Call }) {
  const { account } = useActing();
  const { from, to } = partiesOf(call);
  const isLive = call.state !== "ended";
  const date = (instant: string | null | undefined) =>
    instant == null ? null : formatDateTime(instant, account.time_zone);
  const since = (instant: string) =>
    `+${formatDuration(Date.parse(instant) - Date.parse(call.started_at))}`;

  return (
    <Page
      title={`${formatNumber(from)} to ${formatNumber(to)}`}
      aside={
        call.outcome != null ? (
          <Badge tone={OUTCOME_TONES[call.outcome]}>{words(call.outcome)}</Badge>
        ) : (
          <Badge tone={STATE_TONES[call.state]} pulse={isLive}>
            {words(call.state)}
          </Badge>
        )
      }
      back={BACK}
      actions={isLive && <HangUpButton call={call} />}
    >
      <Panel title="Legs">
        <TimeAxis call={call} />
      </Panel>
      <Table
        label="Details of the legs"
        columns={LEG_COLUMNS}
        rows={call.legs}
        rowKey={({ id }) => id}
      />
      <div className="columns">
        <Panel title="Path through the plan">
          {call.steps.length === 0 ? (
            <p className="quiet">The call did not reach a node of a call plan.</p>
          ) : (
            <ol className="path">
              {call.steps.map((step, index) => (
                <li key={index}>
                  <span className="quiet">{since(step.at)}</span>
                  <span>
                    {words(step.kind)} <span className="quiet">{step.node}</span>
                  </span>
                  <span>{words(call.steps[index + 1]?.branch ?? "")}</span>
                </li>
              ))}
            </ol>
          )}
        </Panel>
        <Panel title="Recordings">
          {call.recordings.length === 0 ? (
            <p className="quiet">
              {isLive ? "Recordings appear when they are ready." : "Nothing was recorded."}
            </p>
          ) : (
            call.recordings.map((id) => <RecordingPlayer key={id} recording={id} />)
          )}
        </Panel>
        <Panel title="Call">
          <Facts
            facts={[
              ["Origin", words(call.origin)],
              [
                "Service number",
                call.service_number == null ? null : formatNumber(call.service_number),
              ],
              [
                "Scheduled call",
                call.scheduled_call != null && (
                  <Link to={`../scheduled-calls/${call.scheduled_call}`}>Open</Link>
                ),
              ],
              ["Started", date(call.started_at)],
              ["Answered", date(call.answered_at)],
              ["Ended", date(call.ended_at)],
              ["Length", isLive ? null : formatDuration(call.duration_ms)],
              ["Cause", call.cause == null ? null : words(call.cause)],
              ["Q.850", call.q850],
              ["SIP status", call.sip_status],
              ["Id", <span className="mono">{call.id}</span>],
            ]}
          />
        </Panel>
        {call.annotations.length > 0 && (
          <Panel title="Notes of the plan">
            <Facts facts={call.annotations.map(({ name, value }) => [name, value] as const)} />
          </Panel>
        )}
      </div>
    </Page>
  );
}

type Stream = NonNullable<NonNullable<Leg["quality"]>["received"]>;

function percent(stream: Stream | null | undefined): string {
  return stream == null ? "" : `${stream.loss_percent.toFixed(1)} %`;
}

const LEG_COLUMNS: Column<Leg>[] = [
  { title: "Leg", tight: true, cell: ({ role }) => role.toUpperCase() },
  { title: "Address", cell: ({ address }) => formatNumber(address ?? "Withheld") },
  { title: "Direction", cell: ({ direction }) => words(direction) },
  {
    title: "Presentation",
    cell: ({ presentation }) => formatNumber(presentation ?? ""),
  },
  { title: "Codec", cell: ({ codec }) => codec?.toUpperCase() ?? "" },
  { title: "Packets sent", align: "end", cell: (leg) => leg.packets_sent },
  { title: "Packets received", align: "end", cell: (leg) => leg.packets_received },
  { title: "Loss from it", align: "end", cell: (leg) => percent(leg.quality?.received) },
  { title: "Loss to it", align: "end", cell: (leg) => percent(leg.quality?.sent) },
  {
    title: "MOS from it",
    align: "end",
    cell: (leg) => leg.quality?.received?.mos.toFixed(1) ?? "",
  },
  { title: "MOS to it", align: "end", cell: (leg) => leg.quality?.sent?.mos.toFixed(1) ?? "" },
  {
    title: "Cause",
    cell: ({ cause, sip_status: status }) =>
      [cause == null ? "" : words(cause), status == null ? "" : `(${status})`].join(" "),
  },
];
