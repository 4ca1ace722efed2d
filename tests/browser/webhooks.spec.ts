import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, expectAccessible, open, signIn, test } from "./fixtures";

/** An endpoint that takes everything. */
async function endpoint(): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", () => response.writeHead(200).end("thank you"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/events`, server };
}

test("webhook_is_made_tried_and_its_deliveries_are_seen_and_sent_again", async ({ page, demo }) => {
  const { url, server } = await endpoint();
  await signIn(page, demo.owner);
  await open(page, "Webhooks");
  await expect(page.getByText("No webhooks yet")).toBeVisible();
  await expectAccessible(page);

  await page.getByRole("button", { name: "New webhook" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("nowhere");
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(dialog.getByRole("alert")).toBeVisible();
  await dialog.getByLabel("Address").fill(url);
  await dialog.getByLabel("Description").fill("Ours");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Create" }).click();
  await expect(dialog.getByText(/^whsec_/)).toBeVisible();
  await dialog.getByRole("button", { name: "I have kept it" }).click();

  await page.getByRole("link", { name: url }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Ours");
  await page.getByRole("button", { name: "Send a test" }).click();
  await expect(page.getByText(/The test was taken: 200/)).toBeVisible();

  // Something happens: a number is described anew.
  await open(page, "Numbers");
  await page
    .getByRole("button", { name: /^Change/ })
    .first()
    .click();
  await dialog.getByLabel("Description").fill("Told to a webhook");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect(dialog).toBeHidden();
  await open(page, "Webhooks");
  await page.getByRole("link", { name: url }).click();
  const deliveries = page.getByRole("table", { name: "Deliveries" });
  const told = deliveries.getByRole("row").filter({ hasText: "number.updated" }).first();
  await expect(told.getByText("Delivered")).toBeVisible();
  await expectAccessible(page);
  await told.getByRole("button", { name: "number.updated" }).click();
  await expect(dialog.getByText("thank you")).toBeVisible();
  await dialog.getByRole("button", { name: "Close" }).click();
  await told.getByRole("button", { name: /^Send again/ }).click();
  await expect(page.getByText("It is sent once more.")).toBeVisible();

  await page.getByRole("button", { name: "Disable" }).click();
  await expect(page.getByRole("button", { name: "Enable" })).toBeVisible();
  await page.getByRole("button", { name: "Remove…" }).click();
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(page.getByText("No webhooks yet")).toBeVisible();
  server.close();
});

test("events_are_seen_as_they_happen", async ({ page, browser, demo }) => {
  await signIn(page, demo.owner);
  await open(page, "Events");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Live");
  await expectAccessible(page);
  const other = await browser.newPage({ baseURL: demo.url });
  await signIn(other, demo.owner);
  await open(other, "Numbers");
  await other
    .getByRole("button", { name: /^Change/ })
    .first()
    .click();
  await other.getByRole("dialog").getByLabel("Description").fill("Seen live");
  await other.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("cell", { name: "number.updated" }).first()).toBeVisible();
  await other.close();
  await page.getByLabel("Type").fill("leg.");
  await expect(page.getByText("No event matches")).toBeVisible();
});
