import type { Call } from "../../api/types";
import { formatDuration, formatNumber } from "../../lib/format";
import { useNow } from "../../lib/use_now";
import { type Stretch, toAxis } from "./calls";

const PARTS: Readonly<Record<Stretch["part"], string>> = {
  dialling: "Dialling",
  ringing: "Ringing",
  answered: "Answered",
};

const percent = (share: number) => `${(share * 100).toFixed(2)}%`;

/** A call's legs as bars on one time axis. */
export function TimeAxis({ call }: { call: Call }) {
  const now = useNow(call.state !== "ended");
  const { lengthMs, legs } = toAxis(call, now);
  const length = ({ from, to }: Stretch) => formatDuration((to - from) * lengthMs);
  return (
    <div className="axis">
      <ul className="axis" aria-label="Legs over time">
        {legs.map(({ leg, stretches }) => (
          <li key={leg.id} className="axis-leg">
            <span>
              <strong>{leg.role.toUpperCase()}</strong> {formatNumber(leg.address ?? "Withheld")}
            </span>
            <span className="axis-track">
              {stretches.map((stretch) => (
                <span
                  key={stretch.part}
                  className="axis-part"
                  data-part={stretch.part}
                  title={`${PARTS[stretch.part]} for ${length(stretch)}`}
                  style={{
                    left: percent(stretch.from),
                    width: percent(stretch.to - stretch.from),
                  }}
                >
                  <span className="visually-hidden">
                    {PARTS[stretch.part]} for {length(stretch)}
                  </span>
                </span>
              ))}
            </span>
          </li>
        ))}
      </ul>
      <div className="axis-scale" aria-hidden="true">
        <span>0:00</span>
        <span>{formatDuration(lengthMs / 2)}</span>
        <span>{formatDuration(lengthMs)}</span>
      </div>
      <div className="axis-key" aria-hidden="true">
        {Object.entries(PARTS).map(([part, label]) => (
          <span key={part}>
            <i className="axis-part" data-part={part} /> {label}
          </span>
        ))}
      </div>
    </div>
  );
}
