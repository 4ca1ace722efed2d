import { useId, useState } from "react";
import { useNavigate } from "react-router";
import { useActing, useReachableAccounts } from "../../api/acting";
import { useMenu } from "../../lib/use_menu";
import { words } from "../../lib/words";
import { Button } from "../../ui/button";
import { Failure } from "../../ui/notice";

/** Chooses the account that the pages act for, by typing a part of its name. */
export function AccountSwitcher() {
  const { account } = useActing();
  const { isOpen, open, close, frame } = useMenu<HTMLDivElement>();
  return (
    <div className="menu switcher" ref={frame}>
      <Button
        aria-expanded={isOpen}
        aria-haspopup="listbox"
        aria-label={`Account: ${account.name}. Switch account`}
        onClick={isOpen ? close : open}
      >
        <span className="switcher-button">{account.name}</span>
        <span aria-hidden="true">▾</span>
      </Button>
      {isOpen && <Choice onClose={close} />}
    </div>
  );
}

function Choice({ onClose }: { onClose: () => void }) {
  const { account: current } = useActing();
  const accounts = useReachableAccounts();
  const navigate = useNavigate();
  const listId = useId();
  const [search, setSearch] = useState("");
  const [active, setActive] = useState(0);

  const sought = search.trim().toLowerCase();
  const found = (accounts.data ?? []).filter((account) =>
    `${account.name} ${account.reference ?? ""}`.toLowerCase().includes(sought),
  );
  const chosen = found[Math.min(active, found.length - 1)];

  const enter = (id: string) => {
    onClose();
    void navigate(`/accounts/${id}`);
  };

  return (
    <div className="menu-list">
      <input
        className="input"
        role="combobox"
        aria-label="Search for an account"
        aria-controls={listId}
        aria-expanded="true"
        aria-activedescendant={chosen ? `${listId}-${chosen.id}` : undefined}
        placeholder="Search by name or reference"
        autoFocus
        value={search}
        onChange={(event) => {
          setSearch(event.target.value);
          setActive(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") setActive(Math.min(active + 1, found.length - 1));
          else if (event.key === "ArrowUp") setActive(Math.max(active - 1, 0));
          else if (event.key === "Enter" && chosen) enter(chosen.id);
          else return;
          event.preventDefault();
        }}
      />
      {accounts.error && (
        <Failure
          title="The accounts could not be loaded"
          error={accounts.error}
          onRetry={() => void accounts.refetch()}
        />
      )}
      <ul className="switcher-options" role="listbox" id={listId} aria-label="Accounts">
        {found.map((account) => (
          <li
            key={account.id}
            id={`${listId}-${account.id}`}
            className="switcher-option"
            role="option"
            aria-selected={account === chosen}
            aria-current={account.id === current.id ? "true" : undefined}
            ref={account === chosen ? showOption : undefined}
            onClick={() => enter(account.id)}
          >
            <span>{account.name}</span>
            <span className="quiet">{words(account.kind)}</span>
          </li>
        ))}
      </ul>
      {accounts.data && found.length === 0 && <p className="quiet">No account has this name.</p>}
    </div>
  );
}

function showOption(option: HTMLLIElement | null): void {
  option?.scrollIntoView({ block: "nearest" });
}
