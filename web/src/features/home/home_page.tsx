import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { useActing } from "../../api/acting";
import { answer, api } from "../../api/client";
import { useLiveInterval } from "../../api/live_context";
import type { Page as ListPage } from "../../api/pages";
import { partiesOf } from "../../api/parties";
import type { Call } from "../../api/types";
import { formatDateTime, formatDuration, formatNumber, startOfToday } from "../../lib/format";
import { words } from "../../lib/words";
import { ButtonLink } from "../../ui/button";
import { Failure, Loading } from "../../ui/notice";
import { Page, Panel } from "../../ui/page";

/** A tile counts to here; what is more is told as more. */
const COUNTED = 200;

export function HomePage() {
  const { account } = useActing();
  const live = useLive(account.id);
  const waiting = useWaiting(account.id);
  const today = useToday(account.id, account.time_zone);
  const numbers = useNumberCount(account.id);
  const latest = useLatest(account.id);
  const outcomes = Object.entries(
    Object.groupBy(today.data?.items ?? [], ({ outcome }) => outcome ?? "failed"),
  );

  return (
    <Page
      title={account.name}
      actions={
        <ButtonLink kind="primary" to="scheduled-calls/new">
          New scheduled call
        </ButtonLink>
      }
    >
      <div className="tiles">
        <Tile title="Live calls" to="calls" query={live}>
          {live.data?.items[0] ? (
            <>Latest: {formatNumber(partiesOf(live.data.items[0]).from)}</>
          ) : (
            "Nobody is on a call"
          )}
        </Tile>
        <Tile title="Calls today" to="records" query={today}>
          {outcomes.length === 0
            ? "None so far"
            : outcomes
                .map(([outcome, calls]) => `${calls.length} ${words(outcome).toLowerCase()}`)
                .join(", ")}
        </Tile>
        <Tile title="Scheduled calls waiting" to="scheduled-calls?state=queued" query={waiting}>
          {waiting.data?.items.length === 0 ? "None is queued" : "Queued until they are due"}
        </Tile>
        <Tile title="Numbers" to="numbers" query={numbers}>
          {numberSummary(numbers.data?.items ?? [])}
        </Tile>
      </div>
      <Panel title="Latest calls" actions={<Link to="records">All call records</Link>}>
        {latest.error ? (
          <Failure
            title="The latest calls could not be loaded"
            error={latest.error}
            onRetry={() => void latest.refetch()}
          />
        ) : (
          <LatestCalls calls={latest.data?.items} timeZone={account.time_zone} />
        )}
      </Panel>
    </Page>
  );
}

function LatestCalls({ calls, timeZone }: { calls: Call[] | undefined; timeZone: string }) {
  if (calls === undefined) return <Loading label="Loading the latest calls" />;
  if (calls.length === 0) {
    return <p className="quiet">Every call appears here as soon as it has ended.</p>;
  }
  return (
    <ul className="latest">
      {calls.map((call) => (
        <li key={call.id}>
          <Link to={`records/${call.id}`}>{formatDateTime(call.started_at, timeZone)}</Link>
          <span>
            {formatNumber(partiesOf(call).from)} to {formatNumber(partiesOf(call).to)}
          </span>
          <span className="quiet">{words(call.origin)}</span>
          <span className="quiet">{call.cause == null ? "" : words(call.cause)}</span>
          <span>{formatDuration(call.duration_ms)}</span>
        </li>
      ))}
    </ul>
  );
}

function numberSummary(numbers: readonly { call_plan?: string | null }[]): string {
  const without = numbers.filter(({ call_plan: plan }) => plan == null).length;
  return without === 0 ? "All have a call plan" : `${without} without a call plan`;
}

interface TileProps {
  title: string;
  to: string;
  query: {
    data?: ListPage<unknown> | undefined;
    error: Error | null;
    refetch: () => Promise<unknown>;
  };
  children: ReactNode;
}

function Tile({ title, to, query, children }: TileProps) {
  const { data, error, refetch } = query;
  if (error) {
    return (
      <Failure
        title={`${title} could not be loaded`}
        error={error}
        onRetry={() => void refetch()}
      />
    );
  }
  const value = data && `${data.items.length}${data.next_cursor == null ? "" : "+"}`;
  return (
    <Link className="tile" to={to}>
      <span>{title}</span>
      <span className="tile-value">{value ?? "…"}</span>
      <span className="quiet">{data ? children : "Loading"}</span>
    </Link>
  );
}

function useLive(account: string) {
  const refetchInterval = useLiveInterval();
  return useQuery({
    queryKey: ["calls", account, "tile"],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/calls", {
          params: {
            path: { account },
            query: { state: "live", descendants: true, limit: COUNTED },
          },
        }),
      ),
    refetchInterval,
  });
}

function useWaiting(account: string) {
  const refetchInterval = useLiveInterval();
  return useQuery({
    queryKey: ["scheduled_calls", account, "tile"],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/scheduled_calls", {
          params: {
            path: { account },
            query: { state: "queued", descendants: true, limit: COUNTED },
          },
        }),
      ),
    refetchInterval,
  });
}

function useToday(account: string, timeZone: string) {
  const refetchInterval = useLiveInterval();
  return useQuery({
    queryKey: ["records", account, "tile"],
    queryFn: () => {
      const since = startOfToday(timeZone, new Date());
      return answer(
        api.GET("/v1/accounts/{account}/records", {
          params: {
            path: { account },
            query: { "created_at[gte]": since, descendants: true, limit: COUNTED },
          },
        }),
      );
    },
    refetchInterval,
  });
}

function useLatest(account: string) {
  const refetchInterval = useLiveInterval();
  return useQuery({
    queryKey: ["records", account, "latest"],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/records", {
          params: { path: { account }, query: { descendants: true, limit: 8 } },
        }),
      ),
    refetchInterval,
  });
}

function useNumberCount(account: string) {
  return useQuery({
    queryKey: ["numbers", account, "tile"],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/numbers", {
          params: { path: { account }, query: { descendants: true, limit: COUNTED } },
        }),
      ),
  });
}
