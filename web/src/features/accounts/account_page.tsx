import { useState } from "react";
import { Link, useParams } from "react-router";
import { useAccount, useActing, useReachableAccounts } from "../../api/acting";
import type { Account } from "../../api/types";
import { formatDateTime } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button, ButtonLink } from "../../ui/button";
import { Failure, Loading } from "../../ui/notice";
import { Facts, Page, Panel } from "../../ui/page";
import { AccountForm } from "./account_form";
import { kindsBelow } from "./accounts";

export function AccountPage() {
  const { account: acting } = useActing();
  const { selected } = useParams();
  const account = useAccount(selected);
  const back = { to: `/accounts/${acting.id}/tree`, label: "Accounts" };
  if (account.data) return <Detail key={account.data.id} account={account.data} back={back} />;
  return (
    <Page title="Account" back={back}>
      {account.error ? (
        <Failure
          title="The account could not be loaded"
          error={account.error}
          onRetry={() => void account.refetch()}
        />
      ) : (
        <Loading label="Loading the account" />
      )}
    </Page>
  );
}

function Detail({ account, back }: { account: Account; back: { to: string; label: string } }) {
  const { account: acting } = useActing();
  const accounts = useReachableAccounts();
  const [creating, setCreating] = useState(false);
  const children = accounts.data?.filter(({ parent }) => parent === account.id) ?? [];
  const parent = accounts.data?.find(({ id }) => id === account.parent);
  const { destination_classes, ...permissions } = account.permissions;

  return (
    <Page
      title={account.name}
      aside={
        <Badge tone={account.status === "active" ? "good" : "bad"}>{words(account.status)}</Badge>
      }
      back={back}
      actions={
        <>
          {kindsBelow(account).length > 0 && (
            <Button onClick={() => setCreating(true)}>New account below</Button>
          )}
          {account.id !== acting.id && (
            <ButtonLink kind="primary" to={`/accounts/${account.id}`}>
              Enter this account
            </ButtonLink>
          )}
        </>
      }
    >
      <div className="columns">
        <Panel title="Account">
          <Facts
            facts={[
              ["Kind", words(account.kind)],
              ["Above it", parent && <Link to={`../tree/${parent.id}`}>{parent.name}</Link>],
              ["Reference", account.reference],
              ["Time zone", account.time_zone],
              ["Created", formatDateTime(account.created_at, acting.time_zone)],
              ["Id", <span className="mono">{account.id}</span>],
            ]}
          />
        </Panel>
        <Panel title="Limits">
          <Facts
            facts={Object.entries(account.limits).map(([name, value]) => [
              words(name),
              value ?? "Those of the accounts above",
            ])}
          />
        </Panel>
        <Panel title="Permissions">
          <Facts
            facts={[
              ...Object.entries(permissions).map(
                ([name, allowed]) =>
                  [
                    words(name),
                    <Badge tone={allowed ? "good" : "neutral"}>
                      {allowed ? "Allowed" : "Not allowed"}
                    </Badge>,
                  ] as const,
              ),
              ["Destinations", destination_classes.map(words).join(", ") || "None"],
            ]}
          />
        </Panel>
        <Panel title="Accounts below">
          {children.length === 0 ? (
            <p className="quiet">There are no accounts below this one yet.</p>
          ) : (
            <ul>
              {children.map((child) => (
                <li key={child.id}>
                  <Link to={`../tree/${child.id}`}>{child.name}</Link>{" "}
                  <span className="quiet">{words(child.kind)}</span>
                </li>
              ))}
            </ul>
          )}
        </Panel>
      </div>
      {creating && <AccountForm parent={account} onClose={() => setCreating(false)} />}
    </Page>
  );
}
