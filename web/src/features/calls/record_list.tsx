import { useState } from "react";
import { Link } from "react-router";
import { useActing, useOwner } from "../../api/acting";
import { readAll } from "../../api/pages";
import { partiesOf } from "../../api/parties";
import type { Call } from "../../api/types";
import { saveFile, toCsv } from "../../lib/csv";
import { useFilters } from "../../lib/filters";
import { formatDateTime, formatDuration, formatNumber } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { useToast } from "../../ui/toast";
import { fetchRecords, ORIGINS, OUTCOME_TONES, useRecords } from "./calls";

export function RecordList() {
  const { account } = useActing();
  const { values, change, clear, isFiltered } = useFilters(["number", "origin", "from", "to"]);
  const records = useRecords(account.id, account.time_zone, values);
  const owner = useOwner<Call>(records.items);
  const [exporting, setExporting] = useState(false);
  const toast = useToast();

  const exportCsv = async () => {
    setExporting(true);
    try {
      const all = await readAll(fetchRecords(account.id, account.time_zone, values, 200));
      saveFile("call_records.csv", toCsv(EXPORTED, all.map(exportedRow)));
    } catch (error) {
      toast(`The export failed. ${error instanceof Error ? error.message : ""}`, "bad");
    } finally {
      setExporting(false);
    }
  };

  const columns: Column<Call>[] = [
    {
      title: "Started",
      tight: true,
      cell: (call) => (
        <Link to={call.id}>{formatDateTime(call.started_at, account.time_zone)}</Link>
      ),
    },
    { title: "Calling", cell: (call) => formatNumber(partiesOf(call).from) },
    { title: "Called", cell: (call) => formatNumber(partiesOf(call).to) },
    ...owner,
    { title: "Origin", cell: ({ origin }) => words(origin) },
    {
      title: "Outcome",
      cell: ({ outcome }) =>
        outcome != null && <Badge tone={OUTCOME_TONES[outcome]}>{words(outcome)}</Badge>,
    },
    { title: "Cause", cell: ({ cause }) => (cause == null ? "" : words(cause)) },
    {
      title: "Length",
      align: "end",
      cell: ({ duration_ms: ms }) => formatDuration(ms),
    },
  ];

  return (
    <Page
      title="Call records"
      actions={
        <Button onClick={() => void exportCsv()} busy={exporting}>
          {exporting ? "Exporting…" : "Export CSV"}
        </Button>
      }
    >
      <div className="filters">
        <Field label="Number" className="field-search">
          {(control) => (
            <input
              {...control}
              type="search"
              placeholder="+441632960001"
              value={values.number}
              onChange={(event) => change({ number: event.target.value })}
            />
          )}
        </Field>
        <Field label="Origin">
          {(control) => (
            <select
              {...control}
              value={values.origin}
              onChange={(event) => change({ origin: event.target.value })}
            >
              <option value="">Any origin</option>
              {ORIGINS.map((origin) => (
                <option key={origin} value={origin}>
                  {words(origin)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="From day">
          {(control) => (
            <input
              {...control}
              type="date"
              value={values.from}
              onChange={(event) => change({ from: event.target.value })}
            />
          )}
        </Field>
        <Field label="To day">
          {(control) => (
            <input
              {...control}
              type="date"
              value={values.to}
              onChange={(event) => change({ to: event.target.value })}
            />
          )}
        </Field>
        {isFiltered && <Button onClick={clear}>Clear filters</Button>}
      </div>
      {records.error ? (
        <Failure
          title="The call records could not be loaded"
          error={records.error}
          onRetry={records.retry}
        />
      ) : records.items === undefined ? (
        <Loading label="Loading call records" />
      ) : records.items.length === 0 ? (
        isFiltered ? (
          <Empty title="No call matches these filters">
            <Button onClick={clear}>Show all call records</Button>
          </Empty>
        ) : (
          <Empty title="No calls on record yet">
            <p className="quiet">Every call appears here once, as soon as it has ended.</p>
          </Empty>
        )
      ) : (
        <div>
          <Table
            label="Call records"
            columns={columns}
            rows={records.items}
            rowKey={({ id }) => id}
          />
          <TableFoot
            shown={records.items.length}
            noun="call"
            hasMore={records.hasMore}
            isLoadingMore={records.isLoadingMore}
            onMore={records.loadMore}
          />
        </div>
      )}
    </Page>
  );
}

const EXPORTED = [
  "id",
  "started_at",
  "answered_at",
  "ended_at",
  "origin",
  "calling",
  "called",
  "service_number",
  "outcome",
  "cause",
  "q850",
  "sip_status",
  "duration_ms",
];

function exportedRow(call: Call) {
  return [
    call.id,
    call.started_at,
    call.answered_at,
    call.ended_at,
    call.origin,
    call.calling,
    call.called,
    call.service_number,
    call.outcome,
    call.cause,
    call.q850,
    call.sip_status,
    call.duration_ms,
  ];
}
