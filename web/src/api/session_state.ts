import { useSyncExternalStore } from "react";
import { session, type SessionState } from "./session";

export function useSessionState(): SessionState {
  return useSyncExternalStore(
    (listener) => session.subscribe(listener),
    () => session.state(),
  );
}
