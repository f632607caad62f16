begin;

-- N73: a profile holds no phone and no birth date in clear. When they come, they come as bytea.
do $$
declare
    found text;
begin
    select string_agg(format('%I.%I.%I is %s', c.table_schema, c.table_name, c.column_name, c.data_type), ', ') into found
      from information_schema.columns c
     where c.table_schema in ('people', 'identity') and c.column_name ~ '(phone|birth)' and c.data_type <> 'bytea';
    assert found is null, found;
end $$;

-- And nobody from outside reads the phone of a payment, a payout or an account that is not his: no view of schema api has one.
do $$
declare
    found text;
begin
    select string_agg(format('%I.%I', c.table_name, c.column_name), ', ') into found
      from information_schema.columns c where c.table_schema = 'api' and c.column_name ~ '(phone|birth|password|encrypted)';
    assert found is null, found;
end $$;
rollback;
