SELECT place, holder FROM netscript.enqueue_ticks(
  $1, $2::text::text[], $3::text::bigint[],
  $4::text::text[], $5::text::text[], $6::text::text[], $7::text::text[], $8::text::integer[], $9::text::bigint[],
  $10::text::integer[], $11::text::text[], $12::text::text[], $13::text::text[], $14::text::text[], $15::text::text[],
  $16::bytea[], $17, $18, $19
)
