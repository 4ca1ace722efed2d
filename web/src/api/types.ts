import type { components } from "./schema";

type Schemas = components["schemas"];

export type Account = Schemas["Account"];
export type AccountKind = Account["kind"];
export type AccountPatch = Partial<Schemas["AccountPatch"]>;
export type AuditEntry = Schemas["AuditEntry"];
export type BrandingInput = Schemas["BrandingInput"];
export type Call = Schemas["CallRecord"];
export type CallPlan = Schemas["CallPlan"];
export type Delivery = Schemas["Delivery"];
export type Leg = Schemas["LegRecord"];
export type Me = Schemas["Me"];
export type NewAccount = Schemas["AccountInput"];
export type NewScheduledCall = Schemas["Request"];
export type NumberPatch = Schemas["NumberPatch"];
export type PlatformEvent = Schemas["Event"];
export type ScheduledCall = Schemas["ScheduledCall"];
export type ServiceNumber = Schemas["Number"];
export type Tokens = Schemas["TokenAnswer"];
export type Webhook = Schemas["Webhook"];
export type WebhookInput = Schemas["WebhookInput"];
export type WebhookPatch = Schemas["WebhookPatch"];
