import { useState } from "react";
import { useNavigate } from "react-router";
import { useActing } from "../../api/acting";
import { download } from "../../api/client";
import type { Account } from "../../api/types";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Refusal } from "../../ui/notice";
import { useToast } from "../../ui/toast";
import { useCloseAccount, useEraseAccount } from "./accounts";

/** The export of an account, and its end: it is closed first, then it can be erased. */
export function AccountEnd({ account }: { account: Account }) {
  const { me } = useActing();
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState<string>();
  const isClosed = account.status === "closed";

  const exportAll = async () => {
    setProblem(undefined);
    try {
      const file = URL.createObjectURL(await download(`/v1/accounts/${account.id}/export`));
      const link = document.createElement("a");
      link.href = file;
      link.download = `${account.name}.ndjson`;
      link.click();
      URL.revokeObjectURL(file);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "Something unexpected happened.");
    }
  };

  return (
    <>
      {problem !== undefined && <Refusal title={problem} reasons={[]} />}
      <p className="quiet">
        {isClosed
          ? "This account is closed. Export what is still needed, then erase it."
          : "An account that is closed takes no calls, nobody signs in to it, and its numbers go back to the pool. It can’t be opened again."}
      </p>
      <div className="filters">
        <Button onClick={() => void exportAll()}>Export everything</Button>
        {account.id !== me.account.id && (
          <Button kind="danger" onClick={() => setAsking(true)}>
            {isClosed ? "Erase account" : "Close account"}
          </Button>
        )}
      </div>
      {asking && <Confirm account={account} onClose={() => setAsking(false)} />}
    </>
  );
}

/** Asks for the account's name, so that the wrong one is not hit. */
function Confirm({ account, onClose }: { account: Account; onClose: () => void }) {
  const { account: acting } = useActing();
  const close = useCloseAccount(account.id);
  const erase = useEraseAccount(account.id);
  const navigate = useNavigate();
  const toast = useToast();
  const [typed, setTyped] = useState("");
  const [hint, setHint] = useState<string>();
  const isErasure = account.status === "closed";
  const [verb, done] = isErasure ? ["Erase", "erased"] : ["Close", "closed"];
  const busy = close.isPending || erase.isPending;
  const error = close.error ?? erase.error;

  const submit = () => {
    if (busy) return;
    if (typed.trim() !== account.name.trim()) {
      setHint("Type the name exactly as it stands above.");
      return;
    }
    const onSuccess = () => {
      toast(`${account.name} is ${done}.`);
      onClose();
      if (isErasure) void navigate(`/accounts/${acting.id}/tree`);
    };
    if (isErasure) erase.mutate(undefined, { onSuccess });
    else close.mutate(undefined, { onSuccess });
  };

  return (
    <Dialog
      title={`${verb} ${account.name}`}
      onClose={onClose}
      onSubmit={submit}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="danger" busy={busy}>
            {`${verb} for good`}
          </Button>
        </>
      }
    >
      <div className="form">
        {error && <Refusal title={error.message} reasons={[]} />}
        <p>
          {isErasure
            ? "All that this account and those below it hold is erased: users, call plans, records, recordings. It can’t be brought back."
            : "The calls of this account and of those below it end now, what is scheduled is cancelled, and nobody signs in any more."}
        </p>
        <Field label={`Type ${account.name} to go on`} error={hint}>
          {(control) => (
            <input
              {...control}
              autoComplete="off"
              value={typed}
              onChange={({ target }) => setTyped(target.value)}
            />
          )}
        </Field>
      </div>
    </Dialog>
  );
}
