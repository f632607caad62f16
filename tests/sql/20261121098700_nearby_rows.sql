begin;
-- What it changes is seen in plans.sql: a ride is offered without reading every driver. Here: it is still the same search.
do $$
declare
    found record;
begin
    select p.prorows, p.provolatile, p.proretset into found from pg_proc p
     where p.oid = 'taxi.nearby(double precision, double precision, bigint, integer)'::regprocedure;
    assert found.prorows = 20 and found.provolatile = 's' and found.proretset, found;
end $$;
rollback;
