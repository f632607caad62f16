-- How many drivers a search finds: the planner is told 20, not the 1,000 it assumes of a function it cannot look into.
-- Why:       for 1,000 it read every driver there is to look up the ten that a ride is offered to.
-- Locks:     none.
-- Old code:  keeps working; what the search finds is the same.
-- Undo:      alter function taxi.nearby(double precision, double precision, bigint, integer) rows 1000;

alter function taxi.nearby(double precision, double precision, bigint, integer) rows 20;
