import { useState } from "react";
import { Link } from "react-router";
import { useActing, useOwner } from "../../api/acting";
import { readAll } from "../../api/pages";
import type { ScheduledCall } from "../../api/types";
import { saveFile, toCsv } from "../../lib/csv";
import { useFilters } from "../../lib/filters";
import { formatDateTime, formatNumber } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button, ButtonLink } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { useToast } from "../../ui/toast";
import { toDialled } from "./draft";
import {
  fetchScheduledCalls,
  isUnderWay,
  STATES,
  TONES,
  useScheduledCalls,
  useServiceNumbers,
} from "./scheduled_calls";

export function ScheduledCallList() {
  const { account } = useActing();
  const { values, change, clear, isFiltered } = useFilters([
    "state",
    "service_number",
    "reference",
  ]);
  const filters = { ...values, service_number: toDialled(values.service_number) };
  const calls = useScheduledCalls(account.id, filters);
  const numbers = useServiceNumbers(account.id);
  const owner = useOwner<ScheduledCall>(calls.items);
  const [exporting, setExporting] = useState(false);
  const toast = useToast();

  const exportCsv = async () => {
    setExporting(true);
    try {
      const all = await readAll(fetchScheduledCalls(account.id, filters, 200));
      saveFile("scheduled_calls.csv", toCsv(EXPORTED, all.map(exportedRow)));
    } catch (error) {
      toast(`The export failed. ${error instanceof Error ? error.message : ""}`, "bad");
    } finally {
      setExporting(false);
    }
  };

  const columns: Column<ScheduledCall>[] = [
    {
      title: "First party",
      cell: (call) => <Link to={call.id}>{formatNumber(call.first_party)}</Link>,
    },
    { title: "Service number", cell: (call) => formatNumber(call.service_number) },
    {
      title: "State",
      cell: ({ state }) => (
        <Badge tone={TONES[state]} pulse={isUnderWay(state)}>
          {words(state)}
        </Badge>
      ),
    },
    ...owner,
    { title: "Cause", cell: ({ cause }) => (cause == null ? "" : words(cause)) },
    {
      title: "Due",
      cell: (call) => formatDateTime(call.not_before, account.time_zone),
    },
    { title: "Reference", wraps: true, cell: ({ reference }) => reference ?? "" },
  ];

  const create = (
    <ButtonLink kind="primary" to="new">
      New scheduled call
    </ButtonLink>
  );

  return (
    <Page
      title="Scheduled calls"
      actions={
        <>
          <Button onClick={() => void exportCsv()} busy={exporting}>
            {exporting ? "Exporting…" : "Export CSV"}
          </Button>
          {create}
        </>
      }
    >
      <div className="filters">
        <Field label="Reference" className="field-search">
          {(control) => (
            <input
              {...control}
              type="search"
              value={values.reference}
              onChange={(event) => change({ reference: event.target.value })}
            />
          )}
        </Field>
        <Field label="State">
          {(control) => (
            <select
              {...control}
              value={values.state}
              onChange={(event) => change({ state: event.target.value })}
            >
              <option value="">Any state</option>
              {STATES.map((state) => (
                <option key={state} value={state}>
                  {words(state)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Service number">
          {(control) => (
            <select
              {...control}
              value={values.service_number}
              onChange={(event) => change({ service_number: event.target.value })}
            >
              <option value="">All numbers</option>
              {numbers.items?.map(({ id, number }) => (
                <option key={id} value={number}>
                  {formatNumber(number)}
                </option>
              ))}
            </select>
          )}
        </Field>
        {isFiltered && <Button onClick={clear}>Clear filters</Button>}
      </div>
      {calls.error ? (
        <Failure
          title="The scheduled calls could not be loaded"
          error={calls.error}
          onRetry={calls.retry}
        />
      ) : calls.items === undefined ? (
        <Loading label="Loading scheduled calls" />
      ) : calls.items.length === 0 ? (
        isFiltered ? (
          <Empty title="No scheduled call matches these filters">
            <Button onClick={clear}>Show all scheduled calls</Button>
          </Empty>
        ) : (
          <Empty title="No scheduled calls yet">
            <p className="quiet">
              A scheduled call rings somebody at a time you choose, and runs a number's call plan.
            </p>
            {create}
          </Empty>
        )
      ) : (
        <div>
          <Table
            label="Scheduled calls"
            columns={columns}
            rows={calls.items}
            rowKey={({ id }) => id}
          />
          <TableFoot
            shown={calls.items.length}
            noun="scheduled call"
            hasMore={calls.hasMore}
            isLoadingMore={calls.isLoadingMore}
            onMore={calls.loadMore}
          />
        </div>
      )}
    </Page>
  );
}

const EXPORTED = [
  "id",
  "service_number",
  "first_party",
  "presentation_number",
  "state",
  "cause",
  "failure",
  "sip_status",
  "not_before",
  "created_at",
  "answered_at",
  "ended_at",
  "reference",
  "call",
];

function exportedRow(call: ScheduledCall) {
  return [
    call.id,
    call.service_number,
    call.first_party,
    call.presentation_number,
    call.state,
    call.cause,
    call.failure,
    call.sip_status,
    call.not_before,
    call.created_at,
    call.answered_at,
    call.ended_at,
    call.reference,
    call.call,
  ];
}
