using System;
using System.IO;
using System.Threading;

static class Program {
  static int Main(string[] args) {
    Console.WriteLine("plain line");
    Console.WriteLine("::progress 40 half way");
    Console.Error.WriteLine("to stderr");
    if (args[0] == "fail") return 3;
    if (args[0] == "hang") {
      AppDomain.CurrentDomain.ProcessExit += delegate { Thread.Sleep(300000); };
      Console.WriteLine("hanging");
      Thread.Sleep(300000);
    }
    string received = Console.In.ReadToEnd();
    if (args[0] == "size") {
      string file = File.ReadAllText(Environment.GetEnvironmentVariable("TASK_PAYLOAD_FILE"));
      Console.WriteLine("{\"stdin\":" + received.Length + ",\"file\":" + file.Length + "}");
      return 0;
    }
    string payload = Environment.GetEnvironmentVariable("TASK_PAYLOAD");
    string mine = Environment.GetEnvironmentVariable("MINE");
    string rest = string.Join("|", args, 1, args.Length - 1);
    Console.WriteLine("{\"args\":\"" + rest + "\",\"stdin\":" + received + ",\"payload\":" + payload + ",\"mine\":\"" + mine + "\"}");
    return 0;
  }
}
