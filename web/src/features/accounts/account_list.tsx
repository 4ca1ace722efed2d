import { useState } from "react";
import { Link } from "react-router";
import { useActing, useReachableAccounts } from "../../api/acting";
import { saveFile, toCsv } from "../../lib/csv";
import { useFilters } from "../../lib/filters";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table } from "../../ui/table";
import { AccountForm } from "./account_form";
import { type Branch, kindsBelow, toTree } from "./accounts";

export function AccountList() {
  const { account: acting } = useActing();
  const accounts = useReachableAccounts();
  const { values, change } = useFilters(["q"]);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [creating, setCreating] = useState(false);

  const tree = toTree(accounts.data ?? [], acting.id, closed, values.q);

  const toggle = (id: string) => {
    const after = new Set(closed);
    if (!after.delete(id)) after.add(id);
    setClosed(after);
  };

  const exportCsv = () => {
    const whole = toTree(accounts.data ?? [], acting.id, new Set(), values.q);
    const header = ["id", "parent", "name", "kind", "status", "reference", "time_zone"];
    const rows = whole.map(({ account }) => [
      account.id,
      account.parent,
      account.name,
      account.kind,
      account.status,
      account.reference,
      account.time_zone,
    ]);
    saveFile("accounts.csv", toCsv(header, rows));
  };

  const columns: Column<Branch>[] = [
    {
      title: "Name",
      cell: ({ account, depth, hasChildren }) => (
        <span className="tree-name" style={{ paddingLeft: depth * 22 }}>
          {hasChildren ? (
            <button
              type="button"
              className="tree-toggle"
              aria-expanded={values.q !== "" || !closed.has(account.id)}
              aria-label={`Accounts below ${account.name}`}
              onClick={() => toggle(account.id)}
            >
              {values.q !== "" || !closed.has(account.id) ? "▾" : "▸"}
            </button>
          ) : (
            <span className="tree-toggle" />
          )}
          <Link to={account.id}>{account.name}</Link>
        </span>
      ),
    },
    { title: "Kind", cell: ({ account }) => words(account.kind) },
    {
      title: "Status",
      cell: ({ account }) => (
        <Badge tone={account.status === "active" ? "good" : "bad"}>{words(account.status)}</Badge>
      ),
    },
    { title: "Reference", wraps: true, cell: ({ account }) => account.reference ?? "" },
    {
      title: "Enter",
      hideTitle: true,
      tight: true,
      cell: ({ account }) =>
        account.id !== acting.id && (
          <Link to={`/accounts/${account.id}`} aria-label={`Enter ${account.name}`}>
            Enter
          </Link>
        ),
    },
  ];

  return (
    <Page
      title="Accounts"
      actions={
        <>
          <Button onClick={exportCsv}>Export CSV</Button>
          {kindsBelow(acting).length > 0 && (
            <Button kind="primary" onClick={() => setCreating(true)}>
              New account
            </Button>
          )}
        </>
      }
    >
      <div className="filters">
        <Field label="Search" className="field-search">
          {(control) => (
            <input
              {...control}
              type="search"
              placeholder="Name or reference"
              value={values.q}
              onChange={(event) => change({ q: event.target.value })}
            />
          )}
        </Field>
      </div>
      {accounts.error ? (
        <Failure
          title="The accounts could not be loaded"
          error={accounts.error}
          onRetry={() => void accounts.refetch()}
        />
      ) : accounts.isPending ? (
        <Loading label="Loading accounts" />
      ) : tree.length === 0 ? (
        <Empty title="No account matches">
          <p className="quiet">Nothing here has “{values.q}” in its name or reference.</p>
          <Button onClick={() => change({ q: "" })}>Show all accounts</Button>
        </Empty>
      ) : (
        <Table
          label="Accounts"
          columns={columns}
          rows={tree}
          rowKey={({ account }) => account.id}
        />
      )}
      {creating && <AccountForm parent={acting} onClose={() => setCreating(false)} />}
    </Page>
  );
}
