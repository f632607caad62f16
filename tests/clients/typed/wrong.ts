// A frontend that uses the typed client wrongly. Each line that is marked must be refused, with this error, and no other.
import { createCauris } from '@cauris/client';
import { createClient } from '@supabase/supabase-js';

const cauris = createCauris(createClient('http://127.0.0.1:54321', 'anon'));
const pickup = { lat: 9.51, lng: -13.71 };

export async function wrong(): Promise<void> {
  // An amount is a number of minor units, not a text with a point.
  await cauris.walletOperations({ operation: 'preview', amount: '100.50' }); // TS2322
  await cauris.walletOperations({ operation: 'preview', amount: 100, currency: 324 }); // TS2322
  await cauris.walletOperations({ operation: 'transfer', amount: 100 }); // TS2345
  await cauris.walletOperations({ operation: 'gift', amount: 100 }); // TS2322
  await cauris.walletAdmin({ action: 'set_balance', reason: 'because' }); // TS2322
  await cauris.taxiRequestRide({ pickup }); // TS2741
  await cauris.taxiRequestRide({ pickup, dropoff: pickup, estimatedPrice: 1 }); // TS2353
  await cauris.taxiUpdateRideStatus({ rideId: crypto.randomUUID(), status: 'teleported' }); // TS2322
  await cauris.taxiPayment({ rideId: crypto.randomUUID(), paymentMethod: 'bitcoin' }); // TS2322

  const preview = await cauris.walletOperations({ operation: 'preview', amount: 100 });
  console.log(preview.data.fee); // TS18047
  console.log(preview.data?.balance); // TS2339
  // Only a transfer answers with a balance.
  console.log(preview.data?.new_balance); // TS2339
  // Nothing about a wallet is refused because of a quote.
  if (preview.error?.code === 'QUOTE_EXPIRED') return; // TS2367
  if (preview.error?.code === 'INSUFFICIENT_FUNDS' && preview.error.status === 500) return; // TS2367

  // Providers and the clock have doors of their own.
  await cauris.monerooWebhook({}); // TS2339
  await cauris.payoutProcess({}); // TS2339
}
