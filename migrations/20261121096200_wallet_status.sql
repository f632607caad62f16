-- Blocking, unblocking and closing a wallet: one way, audited with before and after.
-- Why:       a status that somebody sets by hand leaves no reason and no name; a wallet closed with money in it loses it.
-- Locks:     the wallet's row.
-- Old code:  keeps working; nothing calls this yet.
-- Undo:      drop function ledger.set_wallet_status;

create function ledger.set_wallet_status(wallet uuid, status text, reason text, by uuid)
    returns ledger.wallets language plpgsql set search_path = '' as $$
declare
    before ledger.wallets;
    after ledger.wallets;
begin
    if status is null or status not in ('active', 'blocked', 'closed') then
        perform core.invalid('status', 'must be active, blocked or closed');
    elsif reason is null or length(btrim(reason)) not between 3 and 500 then
        perform core.invalid('reason', 'must be text of 3 to 500 characters');
    end if;
    select * into before from ledger.wallets w where w.id = wallet for update;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such wallet');
    elsif before.status = 'closed' and set_wallet_status.status <> 'closed' then
        perform core.refuse('INVALID_STATE', 409, 'a closed wallet stays closed');
    elsif set_wallet_status.status = 'closed' and before.balance <> 0 then
        perform core.refuse('INVALID_STATE', 409, 'a wallet is closed when it is empty',
            jsonb_build_object('balance', before.balance));
    end if;
    update ledger.wallets w set status = set_wallet_status.status,
           blocked_reason = case when set_wallet_status.status <> 'active' then btrim(reason) end,
           blocked_at = case when set_wallet_status.status <> 'active' then now() end,
           blocked_by = case when set_wallet_status.status <> 'active' then by end
     where w.id = wallet returning * into after;
    perform core.audit('wallet.' || after.status, 'wallet', wallet::text,
        jsonb_build_object('status', before.status, 'reason', before.blocked_reason, 'at', before.blocked_at, 'by', before.blocked_by),
        jsonb_build_object('status', after.status, 'reason', btrim(reason), 'at', now(), 'by', by));
    return after;
end $$;
comment on function ledger.set_wallet_status is
    'Answers the wallet as it is now. Closed is for ever and for empty wallets alone: INVALID_STATE. Sent twice it comes to the
     same, with the later reason. What arrives afterwards for a wallet that is not active goes to suspense.';

revoke execute on all functions in schema ledger from public;
