import type { ComponentProps } from "react";
import { Link, type LinkProps } from "react-router";

type Kind = "primary" | "danger" | "plain";

interface ButtonProps extends Omit<ComponentProps<"button">, "disabled"> {
  kind?: Kind;
  /** What the button does is under way: it stays focusable and does nothing more. */
  busy?: boolean;
}

export function Button({ kind, busy = false, onClick, type = "button", ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      className="button"
      data-kind={kind}
      aria-disabled={busy}
      onClick={(event) => {
        if (busy) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}

export function ButtonLink({ kind, ...rest }: LinkProps & { kind?: Kind }) {
  return <Link {...rest} className="button" data-kind={kind} />;
}
