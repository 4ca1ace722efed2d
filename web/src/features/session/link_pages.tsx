import { type ReactNode, useState } from "react";
import { Link } from "react-router";
import { Brand } from "../../api/branding";
import { toApiError, unreachable } from "../../api/problem";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Refusal } from "../../ui/notice";

/** Asks the API for something that needs no sign-in. */
async function post(path: string, body: Record<string, string>): Promise<void> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw unreachable();
  }
  if (!response.ok) {
    const problem: unknown = await response.json().catch(() => undefined);
    throw toApiError(response.status, problem);
  }
}

/** The token of the link in a mail: behind `#`, so that no server has it in its log. */
function linkToken(): string {
  return new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
}

interface CardProps {
  title: string;
  action: string;
  done: string;
  send: () => Promise<void>;
  children: ReactNode;
}

/** A form on a page of its own, which is sent once. */
function Card({ title, action, done, send, children }: CardProps) {
  const [state, setState] = useState<"open" | "busy" | "done">("open");
  const [problem, setProblem] = useState<string>();
  const submit = async () => {
    setState("busy");
    setProblem(undefined);
    try {
      await send();
      setState("done");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "Something unexpected happened.");
      setState("open");
    }
  };
  return (
    <main className="sign-in">
      <title>{`${title} · Strowger`}</title>
      <form
        className="sign-in-card"
        onSubmit={(event) => {
          event.preventDefault();
          if (state === "open") void submit();
        }}
      >
        <p className="brand">
          <Brand size={28} />
        </p>
        <h1>{title}</h1>
        {problem !== undefined && <Refusal title={problem} reasons={[]} />}
        {state === "done" ? (
          <p role="status">{done}</p>
        ) : (
          <>
            {children}
            <Button type="submit" kind="primary" busy={state === "busy"}>
              {action}
            </Button>
          </>
        )}
        <p>
          <Link to="/sign-in">Go to the sign-in</Link>
        </p>
      </form>
    </main>
  );
}

function NewPassword({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <Field label="New password" hint="At least 10 characters">
      {(control) => (
        <input
          {...control}
          type="password"
          autoComplete="new-password"
          minLength={10}
          autoFocus
          required
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** Asks for a link, or with the link chooses a new password. */
export function PasswordPage() {
  return linkToken() === "" ? <ForgottenPassword /> : <ChosenPassword />;
}

function ForgottenPassword() {
  const [email, setEmail] = useState("");
  return (
    <Card
      title="Forgotten password"
      action="Send the link"
      done="If there is a user with this address, a link to choose a new password is on its way."
      send={() => post("/v1/auth/password_reset", { email: email.trim() })}
    >
      <Field label="E-mail address">
        {(control) => (
          <input
            {...control}
            type="email"
            autoComplete="username"
            autoFocus
            required
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        )}
      </Field>
    </Card>
  );
}

function ChosenPassword() {
  const [password, setPassword] = useState("");
  const [token] = useState(linkToken);
  return (
    <Card
      title="New password"
      action="Set the password"
      done="Your password is set, and every earlier sign-in has ended."
      send={() => post("/v1/auth/password_reset/confirm", { token, password })}
    >
      <NewPassword value={password} onChange={setPassword} />
    </Card>
  );
}

/** Accepts an invitation. */
export function InvitationPage() {
  const [password, setPassword] = useState("");
  const [token] = useState(linkToken);
  return (
    <Card
      title="Welcome"
      action="Accept the invitation"
      done="You are a user now: sign in with your address and this password."
      send={() => post("/v1/auth/invitation", { token, password })}
    >
      <NewPassword value={password} onChange={setPassword} />
    </Card>
  );
}
