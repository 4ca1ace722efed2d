import { type RefObject, useEffect, useRef, useState } from "react";

/** A menu under a button: Escape or a step outside closes it, and focus goes back to the button. */
export function useMenu<Element extends HTMLElement>(): {
  isOpen: boolean;
  open: () => void;
  close: () => void;
  frame: RefObject<Element | null>;
} {
  const [isOpen, setOpen] = useState(false);
  const frame = useRef<Element>(null);

  useEffect(() => {
    if (!isOpen) return;
    const outside = (event: Event) => {
      const inside = event.target instanceof Node && frame.current?.contains(event.target) === true;
      if (!inside) setOpen(false);
    };
    const escape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      frame.current?.querySelector("button")?.focus();
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("focusin", outside);
    document.addEventListener("keydown", escape);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("focusin", outside);
      document.removeEventListener("keydown", escape);
    };
  }, [isOpen]);

  return { isOpen, open: () => setOpen(true), close: () => setOpen(false), frame };
}
