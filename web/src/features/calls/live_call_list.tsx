import { Link } from "react-router";
import { useActing, useOwner } from "../../api/acting";
import { partiesOf } from "../../api/parties";
import type { Call } from "../../api/types";
import { formatDuration, formatNumber, formatTime } from "../../lib/format";
import { useNow } from "../../lib/use_now";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { ButtonLink } from "../../ui/button";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { STATE_TONES, useLiveCalls } from "./calls";
import { HangUpButton } from "./hang_up_button";

export function LiveCallList() {
  const { account } = useActing();
  const calls = useLiveCalls(account.id);
  const owner = useOwner<Call>(calls.items);
  const now = useNow((calls.items?.length ?? 0) > 0);

  const columns: Column<Call>[] = [
    {
      title: "Calling",
      cell: (call) => (
        <Link to={`../records/${call.id}`}>{formatNumber(partiesOf(call).from)}</Link>
      ),
    },
    { title: "Called", cell: (call) => formatNumber(partiesOf(call).to) },
    ...owner,
    { title: "Origin", cell: ({ origin }) => words(origin) },
    {
      title: "State",
      cell: ({ state }) => (
        <Badge tone={STATE_TONES[state]} pulse>
          {words(state)}
        </Badge>
      ),
    },
    { title: "Node", cell: ({ steps }) => words(steps.at(-1)?.kind ?? "") },
    { title: "Since", cell: (call) => formatTime(call.started_at, account.time_zone) },
    {
      title: "For",
      align: "end",
      cell: (call) => formatDuration(now - Date.parse(call.started_at)),
    },
    {
      title: "Hang up",
      hideTitle: true,
      tight: true,
      cell: (call) => <HangUpButton call={call} />,
    },
  ];

  return (
    <Page title="Live calls">
      {calls.error ? (
        <Failure
          title="The live calls could not be loaded"
          error={calls.error}
          onRetry={calls.retry}
        />
      ) : calls.items === undefined ? (
        <Loading label="Loading live calls" />
      ) : calls.items.length === 0 ? (
        <Empty title="No calls at this moment">
          <p className="quiet">Calls appear here by themselves, within a second.</p>
          <ButtonLink to="../scheduled-calls/new">Schedule a call</ButtonLink>
        </Empty>
      ) : (
        <div>
          <Table label="Live calls" columns={columns} rows={calls.items} rowKey={({ id }) => id} />
          <TableFoot
            shown={calls.items.length}
            noun="live call"
            hasMore={calls.hasMore}
            isLoadingMore={calls.isLoadingMore}
            onMore={calls.loadMore}
          />
        </div>
      )}
    </Page>
  );
}
