import { useState } from "react";
import { useActing } from "../../api/acting";
import { session } from "../../api/session";
import { applyTheme, storedTheme, type Theme } from "../../lib/theme";
import { useMenu } from "../../lib/use_menu";
import { words } from "../../lib/words";
import { Button, ButtonLink } from "../../ui/button";
import { Field } from "../../ui/field";

export function UserMenu() {
  const { me } = useActing();
  const { isOpen, open, close, frame } = useMenu<HTMLDivElement>();
  const [theme, setTheme] = useState(storedTheme);
  return (
    <div className="menu" ref={frame}>
      <Button kind="plain" aria-expanded={isOpen} onClick={isOpen ? close : open}>
        {me.user?.email ?? me.account.name}
      </Button>
      {isOpen && (
        <div className="menu-list">
          <p>
            {me.account.name}
            <br />
            <span className="quiet">{words(me.user?.role ?? "API key")}</span>
          </p>
          {me.contact && (
            <p>
              <span className="quiet">My account contact</span>
              <br />
              {[me.contact.name, me.contact.phone, me.contact.email]
                .filter((part) => part != null)
                .join(", ")}
            </p>
          )}
          <Field label="Appearance">
            {(control) => (
              <select
                {...control}
                value={theme}
                onChange={(event) => {
                  const chosen = event.target.value as Theme;
                  setTheme(chosen);
                  applyTheme(chosen);
                }}
              >
                <option value="system">As the system</option>
                <option value="light">Light</option>
                <option value="dark">Dark</option>
              </select>
            )}
          </Field>
          {me.user && <ButtonLink to="/profile">Password and sign-in</ButtonLink>}
          <Button onClick={() => session.signOut()}>Sign out</Button>
        </div>
      )}
    </div>
  );
}
