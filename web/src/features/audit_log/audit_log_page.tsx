import { useState } from "react";
import { useActing, useOwner } from "../../api/acting";
import { answer, api, download } from "../../api/client";
import { usePages } from "../../api/pages";
import type { AuditEntry } from "../../api/types";
import { saveBlob } from "../../lib/csv";
import { useFilters } from "../../lib/filters";
import { formatDateTime, toInstant } from "../../lib/format";
import { words } from "../../lib/words";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { useToast } from "../../ui/toast";

const FILTERS = ["operation", "actor", "resource", "from"] as const;

/** Who changed what: the latest first, with what was before and after. */
export function AuditLogPage() {
  const { account } = useActing();
  const { values, change, clear, isFiltered } = useFilters(FILTERS);
  const [exporting, setExporting] = useState(false);
  const toast = useToast();
  const filters = {
    operation: values.operation.trim() || undefined,
    actor: values.actor.trim() || undefined,
    resource: values.resource.trim() || undefined,
    "created_at[gte]":
      values.from === "" ? undefined : toInstant(`${values.from}T00:00`, account.time_zone),
  };
  const entries = usePages(["audit_log", account.id, values], (cursor) =>
    answer(
      api.GET("/v1/accounts/{account}/audit_log", {
        params: { path: { account: account.id }, query: { ...filters, limit: 50, cursor } },
      }),
    ),
  );
  const owner = useOwner<AuditEntry>(entries.items);

  const exportAs = async (format: "csv" | "ndjson") => {
    setExporting(true);
    const query = new URLSearchParams({ format });
    for (const [name, value] of Object.entries(filters)) {
      if (value !== undefined) query.set(name, value);
    }
    try {
      const path = `/v1/accounts/${account.id}/audit_log/export?${query.toString()}`;
      saveBlob(`audit_log.${format}`, await download(path));
    } catch (error) {
      toast(`The export failed. ${error instanceof Error ? error.message : ""}`, "bad");
    } finally {
      setExporting(false);
    }
  };

  const columns: Column<AuditEntry>[] = [
    {
      title: "When",
      tight: true,
      cell: (entry) => formatDateTime(entry.created_at, account.time_zone),
    },
    {
      title: "Who",
      cell: (entry) =>
        entry.actor_account === entry.account
          ? entry.actor_name
          : `${entry.actor_name}, acting from above`,
    },
    ...owner,
    { title: "What", cell: ({ operation }) => operation.split(".").map(words).join(" · ") },
    { title: "To", cell: ({ resource }) => <code>{resource}</code> },
    { title: "From", cell: ({ source }) => source },
    { title: "Change", cell: (entry) => <Difference entry={entry} /> },
  ];

  return (
    <Page
      title="Audit log"
      actions={
        <>
          <Button onClick={() => void exportAs("csv")} busy={exporting}>
            Export CSV
          </Button>
          <Button onClick={() => void exportAs("ndjson")} busy={exporting}>
            Export NDJSON
          </Button>
        </>
      }
    >
      <div className="filters">
        {(["operation", "actor", "resource"] as const).map((name) => (
          <Field key={name} label={LABELS[name].label} className="field-search">
            {(control) => (
              <input
                {...control}
                type="search"
                placeholder={LABELS[name].placeholder}
                value={values[name]}
                onChange={(event) => change({ [name]: event.target.value })}
              />
            )}
          </Field>
        ))}
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
        {isFiltered && <Button onClick={clear}>Clear filters</Button>}
      </div>
      {entries.error ? (
        <Failure
          title="The audit log could not be loaded"
          error={entries.error}
          onRetry={entries.retry}
        />
      ) : entries.items === undefined ? (
        <Loading label="Loading the audit log" />
      ) : entries.items.length === 0 ? (
        <Empty title={isFiltered ? "No change matches these filters" : "Nothing was changed yet"}>
          <p className="quiet">Every change is kept here for 12 months.</p>
        </Empty>
      ) : (
        <div>
          <Table label="Audit log" columns={columns} rows={entries.items} rowKey={({ id }) => id} />
          <TableFoot
            shown={entries.items.length}
            noun="change"
            hasMore={entries.hasMore}
            isLoadingMore={entries.isLoadingMore}
            onMore={entries.loadMore}
          />
        </div>
      )}
    </Page>
  );
}

const LABELS = {
  operation: { label: "What", placeholder: "users.change" },
  actor: { label: "By", placeholder: "usr_…" },
  resource: { label: "To", placeholder: "num_…" },
} as const;

function Difference({ entry }: { entry: AuditEntry }) {
  const { before, after } = entry;
  if (before == null && after == null) return null;
  return (
    <details>
      <summary>{before == null ? "Added" : after == null ? "Removed" : "Changed"}</summary>
      {before != null && <pre aria-label="Before">{JSON.stringify(before, null, 2)}</pre>}
      {after != null && <pre aria-label="After">{JSON.stringify(after, null, 2)}</pre>}
    </details>
  );
}
