import { useState } from "react";
import { faultsByField } from "../../api/problem";
import type { Account, BrandingInput } from "../../api/types";
import { words } from "../../lib/words";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Failure, Loading, Refusal } from "../../ui/notice";
import { useToast } from "../../ui/toast";
import { useBranding, usePutBranding } from "./accounts";

const FIELDS = ["host", "look"] as const;
const FONTS = ["system", "sans", "serif", "rounded"] as const;
const COLOURS = [
  ["accent", "Colour of buttons", "#0b6b57"],
  ["bar", "Colour of the bar on top", "#17201c"],
] as const;

/** How the portal looks for the users of an account. */
export function BrandingForm({ account, onClose }: { account: Account; onClose: () => void }) {
  const branding = useBranding(account.id);
  if (branding.data) {
    const { host, title, accent, bar, font, has_logo } = branding.data;
    const now: Branding = {
      host: host ?? null,
      look: { title: title ?? null, accent: accent ?? null, bar: bar ?? null, font: font ?? null },
    };
    return <Form account={account} now={now} hasLogo={has_logo} onClose={onClose} />;
  }
  return (
    <Dialog title="Branding" onClose={onClose} actions={<Button onClick={onClose}>Cancel</Button>}>
      {branding.error ? (
        <Failure title="The branding could not be loaded" error={branding.error} />
      ) : (
        <Loading label="Loading the branding" />
      )}
    </Dialog>
  );
}

type Branding = Required<BrandingInput>;

interface FormProps {
  account: Account;
  now: Branding;
  hasLogo: boolean;
  onClose: () => void;
}

function Form({ account, now, hasLogo, onClose }: FormProps) {
  const put = usePutBranding(account.id);
  const toast = useToast();
  const [branding, setBranding] = useState(now);
  const [logo, setLogo] = useState<File | null>();
  const { fields, others } = faultsByField(put.error, FIELDS);
  const { look } = branding;
  const change = (part: Partial<Branding["look"]>) =>
    setBranding({ ...branding, look: { ...look, ...part } });

  const submit = () => {
    if (put.isPending) return;
    put.mutate(logo === undefined ? { branding } : { branding, logo }, {
      onSuccess: () => {
        toast("The branding is saved.");
        onClose();
      },
    });
  };

  return (
    <Dialog
      title={`Branding of ${account.name}`}
      onClose={onClose}
      onSubmit={submit}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={put.isPending}>
            {put.isPending ? "Saving…" : "Save"}
          </Button>
        </>
      }
    >
      <div className="form">
        {put.error && (
          <Refusal
            title="The branding was not saved"
            reasons={fields.look === undefined ? others : [fields.look, ...others]}
          />
        )}
        {account.kind !== "customer" && (
          <Field
            label="Host name"
            optional
            hint="Under this name the portal is opened, such as portal.example.com."
            error={fields.host}
          >
            {(control) => (
              <input
                {...control}
                value={branding.host ?? ""}
                onChange={({ target }) =>
                  setBranding({ ...branding, host: target.value === "" ? null : target.value })
                }
              />
            )}
          </Field>
        )}
        <Field label="Title" optional hint="Stands where the platform’s name would.">
          {(control) => (
            <input
              {...control}
              value={look.title ?? ""}
              onChange={({ target }) =>
                change({ title: target.value === "" ? null : target.value })
              }
            />
          )}
        </Field>
        <div className="form-pair">
          {COLOURS.map(([name, label, usual]) => (
            <Field key={name} label={label}>
              {(control) => (
                <input
                  {...control}
                  type="color"
                  value={look[name] ?? usual}
                  onChange={({ target }) => change({ [name]: target.value })}
                />
              )}
            </Field>
          ))}
        </div>
        <Field label="Letters">
          {(control) => (
            <select
              {...control}
              value={look.font ?? "system"}
              onChange={({ target }) => change({ font: target.value as (typeof FONTS)[number] })}
            >
              {FONTS.map((font) => (
                <option key={font} value={font}>
                  {words(font)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Logo" optional hint="GIF, JPEG or PNG, at most 180 by 80 pixels and 2 MB.">
          {(control) => (
            <input
              {...control}
              type="file"
              accept="image/gif,image/jpeg,image/png"
              onChange={({ target }) => setLogo(target.files?.[0])}
            />
          )}
        </Field>
        {hasLogo && (
          <label>
            <input
              type="checkbox"
              checked={logo === null}
              onChange={({ target }) => setLogo(target.checked ? null : undefined)}
            />{" "}
            Remove the logo
          </label>
        )}
      </div>
    </Dialog>
  );
}
