import type { ReactNode } from "react";

export type Tone = "neutral" | "good" | "busy" | "bad" | "info";

interface BadgeProps {
  tone?: Tone;
  /** Something goes on right now. */
  pulse?: boolean;
  children: ReactNode;
}

export function Badge({ tone = "neutral", pulse = false, children }: BadgeProps) {
  return (
    <span className={pulse ? "badge badge-pulse" : "badge"} data-tone={tone}>
      {children}
    </span>
  );
}
