import { useState } from "react";
import { useActing, useOwner } from "../../api/acting";
import type { ServiceNumber } from "../../api/types";
import { saveFile, toCsv } from "../../lib/csv";
import { useFilters } from "../../lib/filters";
import { formatNumber } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge, type Tone } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { NumberForm } from "./number_form";
import { CLASSES, filterNumbers, STATUSES, useCallPlans, useNumbers } from "./numbers";

const TONES: Readonly<Record<ServiceNumber["status"], Tone>> = {
  active: "good",
  parked: "neutral",
  suspended: "bad",
};

export function NumberList() {
  const { account } = useActing();
  const numbers = useNumbers(account.id);
  const plans = useCallPlans(account.id);
  const { values, change, clear, isFiltered } = useFilters(["q", "class", "status", "plan"]);
  const [changing, setChanging] = useState<ServiceNumber>();

  const owner = useOwner<ServiceNumber>(numbers.items);
  const shown = filterNumbers(numbers.items ?? [], values);
  const planName = (id: string) => plans.items?.find((plan) => plan.id === id)?.name ?? id;

  const exportCsv = () => {
    const header = ["number", "class", "status", "call_plan", "description", "id"];
    const rows = shown.map((number) => [
      number.number,
      number.class,
      number.status,
      number.call_plan == null ? "" : planName(number.call_plan),
      number.description,
      number.id,
    ]);
    saveFile("numbers.csv", toCsv(header, rows));
  };

  const columns: Column<ServiceNumber>[] = [
    {
      title: "Number",
      tight: true,
      cell: ({ number }) => <strong title={number}>{formatNumber(number)}</strong>,
    },
    { title: "Class", cell: (number) => words(number.class) },
    {
      title: "Status",
      cell: ({ status }) => <Badge tone={TONES[status]}>{words(status)}</Badge>,
    },
    {
      title: "Active call plan",
      cell: ({ call_plan: plan }) =>
        plan == null ? <span className="quiet">None</span> : planName(plan),
    },
    ...owner,
    { title: "Description", wraps: true, cell: ({ description }) => description },
    {
      title: "Change",
      hideTitle: true,
      tight: true,
      cell: (number) => (
        <Button
          kind="plain"
          aria-label={`Change ${formatNumber(number.number)}`}
          onClick={() => setChanging(number)}
        >
          Change
        </Button>
      ),
    },
  ];

  return (
    <Page title="Numbers" actions={<Button onClick={exportCsv}>Export CSV</Button>}>
      <div className="filters">
        <Field label="Search" className="field-search">
          {(control) => (
            <input
              {...control}
              type="search"
              placeholder="Number or description"
              value={values.q}
              onChange={(event) => change({ q: event.target.value })}
            />
          )}
        </Field>
        <Field label="Class">
          {(control) => (
            <select
              {...control}
              value={values.class}
              onChange={(event) => change({ class: event.target.value })}
            >
              <option value="">All classes</option>
              {CLASSES.map((name) => (
                <option key={name} value={name}>
                  {words(name)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Status">
          {(control) => (
            <select
              {...control}
              value={values.status}
              onChange={(event) => change({ status: event.target.value })}
            >
              <option value="">Any status</option>
              {STATUSES.map((name) => (
                <option key={name} value={name}>
                  {words(name)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Call plan">
          {(control) => (
            <select
              {...control}
              value={values.plan}
              onChange={(event) => change({ plan: event.target.value })}
            >
              <option value="">Any plan</option>
              <option value="none">No plan</option>
              {plans.items?.map((plan) => (
                <option key={plan.id} value={plan.id}>
                  {plan.name}
                </option>
              ))}
            </select>
          )}
        </Field>
        {isFiltered && <Button onClick={clear}>Clear filters</Button>}
      </div>
      {numbers.error ? (
        <Failure
          title="The numbers could not be loaded"
          error={numbers.error}
          onRetry={numbers.retry}
        />
      ) : numbers.isPending ? (
        <Loading label="Loading numbers" />
      ) : shown.length === 0 ? (
        isFiltered ? (
          <Empty title="No number matches these filters">
            <Button onClick={clear}>Show all numbers</Button>
          </Empty>
        ) : (
          <Empty title="This account has no numbers yet">
            <p className="quiet">
              Whoever provides this account allocates numbers to it. They appear here at once.
            </p>
          </Empty>
        )
      ) : (
        <div>
          <Table label="Numbers" columns={columns} rows={shown} rowKey={({ id }) => id} />
          <TableFoot
            shown={shown.length}
            noun="number"
            hasMore={numbers.hasMore}
            isLoadingMore={numbers.isLoadingMore}
            onMore={numbers.loadMore}
          />
        </div>
      )}
      {changing && (
        <NumberForm
          number={changing}
          plans={plans.items ?? []}
          onClose={() => setChanging(undefined)}
        />
      )}
    </Page>
  );
}
