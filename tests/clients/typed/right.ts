// A frontend that uses the typed client as it is meant. It compiles, under the strictest settings.
import { type CaurisError, createCauris, type TaxiQuoteFareReceipt } from '@cauris/client';
import { createClient } from '@supabase/supabase-js';

const cauris = createCauris(createClient('http://127.0.0.1:54321', 'anon'));

export async function send(amount: number, to: string): Promise<string> {
  const idempotencyKey = crypto.randomUUID();
  const { data, error } = await cauris.walletOperations({ operation: 'transfer', amount, recipient_id: to }, { idempotencyKey });
  if (error) return explain(error);
  return `${data.transfer_code}: ${data.new_balance} ${data.currency} are left`;
}

// A refusal narrows by its code, and its status with it.
function explain(error: CaurisError): string {
  switch (error.code) {
    case 'INSUFFICIENT_FUNDS':
      return 'top up first';
    case 'RATE_LIMITED':
      return `wait ${error.retryAfter ?? 60} s`;
    default:
      return `${error.message} (${error.requestId ?? 'no answer'})`;
  }
}

export async function again(amount: number, to: string): Promise<409 | 422 | 0> {
  const { error } = await cauris.walletOperations({ operation: 'transfer', amount, recipient_id: to, confirm_duplicate: true });
  if (error?.code === 'IDEMPOTENCY_MISMATCH') return error.status;
  if (error?.code === 'DUPLICATE_SUSPECTED') return error.status;
  return 0;
}

// What is answered depends on what is asked.
export async function topUp(amount: number): Promise<string | null> {
  const { data } = await cauris.walletOperations({ operation: 'deposit', amount, currency: 'XOF' });
  return data && 'checkout_url' in data ? data.checkout_url : null;
}

export async function ride(): Promise<TaxiQuoteFareReceipt | null> {
  const [pickup, dropoff] = [{ lat: 9.51, lng: -13.71 }, { lat: 9.55, lng: -13.67, address: 'Ratoma' }];
  const { data: quote } = await cauris.taxiQuoteFare({ pickup, dropoff });
  const ordered = quote?.quote_id && (await cauris.taxiRequestRide({ pickup, dropoff, quoteId: quote.quote_id }));
  if (ordered && ordered.data) {
    const paid = await cauris.taxiPayment({ rideId: ordered.data.rideId, paymentMethod: 'wallet' });
    if (paid.data?.payment.client_secret) console.log(paid.data.transaction.amount);
  }
  return quote;
}

export async function office(): Promise<number> {
  const block = await cauris.walletAdmin({ action: 'block', user_id: crypto.randomUUID(), reason: 'a stolen phone' });
  const stats = await cauris.walletAdmin({ action: 'stats', from: '2026-01-01' });
  console.log(block.data?.wallet.status === 'blocked');
  return stats.data?.revenue_by_service[0]?.revenue ?? 0;
}

export async function well(): Promise<boolean> {
  const { data, response } = await cauris.health();
  return data?.status === 'ok' && response?.headers.has('x-request-id') === true;
}
