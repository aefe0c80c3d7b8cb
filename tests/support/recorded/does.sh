set -e
read -r text < data/in.txt
echo "$text" > out/new.txt
gzip --version > /dev/null
exec 3<> "/dev/tcp/127.0.0.1/$TASK_PORT"
test -n "$GRANTED"
