import { expect, expectAccessible, open, signIn, test } from "./fixtures";

/** Long enough for the test phone to ring, answer, listen, press a key and hang up. */
const WHOLE_CALL_MS = 45_000;

test("scheduled_call_is_followed_live_until_its_recording_is_heard", async ({ page, demo }) => {
  test.setTimeout(120_000);
  await signIn(page, demo.owner);
  await open(page, "Scheduled calls");
  await page.getByRole("link", { name: "New scheduled call" }).first().click();
  await expectAccessible(page);

  await page.getByLabel("Service number").fill(demo.serviceNumbers[0] ?? "");
  await page.getByLabel("First party").fill(demo.testPhone);
  await page.getByLabel("Reference").fill("browser test");
  await page.getByRole("button", { name: "Call now" }).click();

  const progress = page.getByRole("list", { name: "Progress" });
  const current = progress.locator("[aria-current=step]");
  await expect(current).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await expect(current).toContainText("In progress", {
    timeout: WHOLE_CALL_MS,
  });
  await expectAccessible(page);
  await expect(current).toContainText("Completed", { timeout: WHOLE_CALL_MS });
  await expect(page.getByText("Ended normally")).toBeVisible();

  await page.getByRole("link", { name: "Open the call record" }).click();
  await expect(page.getByRole("list", { name: "Legs over time" })).toContainText("A");
  await expect(page.getByText("Deliver call")).toBeVisible();
  await page.getByRole("button", { name: "Play recording" }).first().click();
  const sound = page.locator("audio").first();
  await expect
    .poll(() => sound.evaluate((audio: HTMLAudioElement) => audio.currentTime))
    .toBeGreaterThan(0);
  expect(await sound.evaluate((audio: HTMLAudioElement) => audio.duration)).toBeGreaterThan(0);
  await expectAccessible(page);

  await open(page, "Call records");
  await expect(page.getByRole("table", { name: "Call records" }).getByRole("row")).not.toHaveCount(
    1,
  );
  await expectAccessible(page);
});

test("call_that_waits_can_be_cancelled", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  await open(page, "Scheduled calls");
  await page.getByRole("link", { name: "New scheduled call" }).first().click();
  await page.getByLabel("Service number").fill(demo.serviceNumbers[0] ?? "");
  await page.getByLabel("First party").fill(demo.testPhone);
  await page.getByLabel("At a time").check();
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 16);
  await page.getByLabel("Not before").fill(tomorrow);
  await page.getByRole("button", { name: "Schedule the call" }).click();

  const current = page.getByRole("list", { name: "Progress" }).locator("[aria-current=step]");
  await expect(current).toContainText("Queued");
  await page.getByRole("button", { name: "Cancel this call" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel the call" }).click();
  await expect(current).toContainText("Cancelled");

  await open(page, "Scheduled calls");
  await page.getByLabel("State").selectOption("cancelled");
  await expect(page).toHaveURL(/state=cancelled/);
  await expect(page.getByRole("table", { name: "Scheduled calls" })).toContainText("Cancelled");
});

test("live_call_can_be_hung_up", async ({ page, demo, api }) => {
  test.setTimeout(90_000);
  const account = await api.account(demo.owner);
  await signIn(page, demo.owner);
  await open(page, "Live calls");
  await api.post(demo.owner, `/v1/accounts/${account.id}/scheduled_calls`, {
    service_number: demo.serviceNumbers[0],
    first_party: demo.testPhone,
    reference: "to be hung up",
  });
  const table = page.getByRole("table", { name: "Live calls" });
  await expect(table).toContainText("In progress", { timeout: 20_000 });
  await table.getByRole("button", { name: /^Hang up/ }).click();
  await expect(page.getByText("No calls at this moment")).toBeVisible({
    timeout: 15_000,
  });
});

test("progress_goes_on_when_the_event_stream_is_down", async ({ page, demo }) => {
  test.setTimeout(120_000);
  await page.route("**/v1/accounts/*/events?*", (route) => route.abort());
  await signIn(page, demo.owner);
  await expect(page.getByText("Delayed")).toBeVisible();
  await open(page, "Scheduled calls");
  await page.getByRole("link", { name: "New scheduled call" }).first().click();
  await page.getByLabel("Service number").fill(demo.serviceNumbers[0] ?? "");
  await page.getByLabel("First party").fill(demo.testPhone);
  await page.getByRole("button", { name: "Call now" }).click();
  const current = page.getByRole("list", { name: "Progress" }).locator("[aria-current=step]");
  await expect(current).toContainText("Completed", { timeout: WHOLE_CALL_MS });
});
