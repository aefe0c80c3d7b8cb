mode=$1
shift
echo "plain line"
echo "::progress 40 half way"
echo "to stderr" >&2
case $mode in
  fail) exit 3 ;;
  hang)
    trap '' TERM
    echo hanging
    sleep 300
    ;;
  size) echo "{\"stdin\":$(wc -c),\"file\":$(wc -c <"$TASK_PAYLOAD_FILE")}" ;;
  *) (IFS='|'; echo "{\"args\":\"$*\",\"stdin\":$(cat),\"payload\":$TASK_PAYLOAD,\"mine\":\"$MINE\"}") ;;
esac
