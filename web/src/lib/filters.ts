import { useSearchParams } from "react-router";

/** A page's filters, kept in its address so that they can be shared and survive a reload. */
export function useFilters<Name extends string>(names: readonly Name[]) {
  const [parameters, setParameters] = useSearchParams();
  const values = Object.fromEntries(
    names.map((name) => [name, parameters.get(name) ?? ""]),
  ) as Record<Name, string>;

  const change = (changed: Partial<Record<Name, string>>) =>
    setParameters(
      (before) => {
        const after = new URLSearchParams(before);
        for (const name of names) {
          const value = changed[name];
          if (value === undefined) continue;
          if (value === "") after.delete(name);
          else after.set(name, value);
        }
        return after;
      },
      { replace: true },
    );

  const clear = () =>
    change(Object.fromEntries(names.map((name) => [name, ""])) as Record<Name, string>);

  const isFiltered = names.some((name) => values[name] !== "");
  return { values, change, clear, isFiltered };
}
