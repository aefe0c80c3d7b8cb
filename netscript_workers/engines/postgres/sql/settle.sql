SELECT netscript.settle(
  $1, $2::text::text[], $3::text::bigint[], $4::text::bigint[], $5::text::text[], $6::text::integer[],
  $7::text::integer[], $8::text::bigint[], $9::text::bigint[], $10::text::bigint[], $11::text::bigint[],
  $12::text::bigint[], $13::text::text[], $14::bytea[], $15::text::bigint[], $16::text::bigint[], $17::text::bigint[],
  $18, $19, $20, $21, $22, $23, $24, $25
)
