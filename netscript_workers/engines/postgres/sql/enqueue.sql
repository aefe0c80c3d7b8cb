SELECT place, holder FROM netscript.enqueue(
  $1, $2::text::text[], $3::text::text[], $4::text::text[], $5::text::text[], $6::text::integer[], $7::text::bigint[],
  $8::text::integer[], $9::text::text[], $10::text::text[], $11::text::text[], $12::text::text[], $13::text::text[],
  $14::bytea[], $15, $16, $17
)
