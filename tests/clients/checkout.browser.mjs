// A customer with a phone in his hand: reads the amount, presses Pay, and is told that it worked.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true });
  const faults = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(process.env.CHECKOUT_URL);
  assert.equal(await page.locator('#amount').getAttribute('data-amount'), process.env.TOTAL);
  assert.ok((await page.locator('#merchant').innerText()).length > 0, 'the page names who is paid');
  for (const button of ['#pay', '#fail', '#cancel']) {
    const box = await page.locator(button).boundingBox();
    assert.ok(box.width >= 44 && box.height >= 44 && box.x >= 0 && box.x + box.width <= 360, `${button} on a phone`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(wide, false, 'the page scrolls sideways');
  await page.locator('#pay').tap();
  assert.equal(await page.locator('#result').getAttribute('data-status'), 'success');
  assert.match(await page.locator('#return').getAttribute('href'), /paymentStatus=success/);
  assert.deepEqual(faults, []);
} finally {
  await browser.close();
}
