import { createContext, type ReactNode, useCallback, useContext, useState } from "react";
import { Button } from "./button";

interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
}

type Show = (text: string, tone?: Toast["tone"]) => void;

const ToastContext = createContext<Show>(() => {});

/** Long enough to be read; what went wrong stays until it is closed. */
const SHOWN_MS = 5_000;

let lastId = 0;

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);

  const close = useCallback((id: number) => {
    setToasts((before) => before.filter((toast) => toast.id !== id));
  }, []);

  const show = useCallback<Show>(
    (text, tone = "good") => {
      const id = ++lastId;
      setToasts((before) => [...before.slice(-3), { id, text, tone }]);
      if (tone === "good") setTimeout(() => close(id), SHOWN_MS);
    },
    [close],
  );

  return (
    <ToastContext value={show}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map(({ id, text, tone }) => (
          <div key={id} className="toast" data-tone={tone}>
            <p>{text}</p>
            <Button kind="plain" aria-label="Close this message" onClick={() => close(id)}>
              ×
            </Button>
          </div>
        ))}
      </div>
    </ToastContext>
  );
}

export function useToast(): Show {
  return useContext(ToastContext);
}
