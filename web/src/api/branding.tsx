import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { answer, api } from "./client";
import { letters, onColour } from "../lib/colours";

/** How the portal looks under the host at which it is opened. */
export function useHostBranding() {
  const host = window.location.hostname;
  const branding = useQuery({
    queryKey: ["host_branding", host],
    queryFn: () => answer(api.GET("/v1/branding", { params: { query: { host } } })),
    staleTime: Infinity,
    retry: false,
  });
  const { accent, bar, font } = branding.data ?? {};
  useEffect(() => {
    const { style } = document.documentElement;
    const set = (name: string, value: string | null | undefined) => {
      if (value == null) style.removeProperty(name);
      else style.setProperty(name, value);
    };
    set("--accent", accent);
    set("--accent-strong", accent && `color-mix(in srgb, ${accent} 85%, black)`);
    set("--on-accent", accent && onColour(accent));
    set("--bar", bar);
    set("--font", font && letters(font));
  }, [accent, bar, font]);
  return branding.data;
}

/** The name and the mark of whoever offers the portal. */
export function Brand({ size }: { size: number }) {
  const branding = useHostBranding();
  const title = branding?.title ?? "Strowger";
  if (branding?.logo != null) return <img className="brand-logo" src={branding.logo} alt={title} />;
  return (
    <>
      <img src="/icon.svg" alt="" width={size} height={size} /> {title}
    </>
  );
}
