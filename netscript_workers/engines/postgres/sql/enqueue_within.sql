-- By the queue's name: a connection to some other database finds nothing to put anything into.
SELECT place, holder FROM netscript.enqueue((SELECT number FROM netscript.queue WHERE name = {name}), {rest})
