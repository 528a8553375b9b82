using System.Globalization;

namespace LlmProxy.Benchmarks.MethodOrder;

/// <summary>How often each method was called, by a profile that callgrind has written.</summary>
internal static class CallgrindProfile
{
    private const string NotTold = "???";

    /// <param name="lines">Of the profile. Names are given once, with a number that stands for them from then on: <c>cfn=(12) name</c>, <c>cfn=(12)</c>.</param>
    /// <param name="program">Only what is in this file, or in one that is not told: callgrind knows the names of managed code, but not where its section is from.</param>
    /// <returns>Names of methods, most often called first; those called as often as each other in the order in which the profile has them.</returns>
    public static IReadOnlyList<string> MethodsOf(IEnumerable<string> lines, string program)
    {
        var objects = new Dictionary<string, string>();
        var names = new Dictionary<string, string>();
        var calls = new Dictionary<string, long>();
        string file = "", callee = "", calleeFile = "";
        foreach (var line in lines)
        {
            if (Value(line, "ob=") is { } own)
            {
                file = calleeFile = Resolve(own, objects);
            }
            else if (Value(line, "cob=") is { } other)
            {
                calleeFile = Resolve(other, objects);
            }
            else if (Value(line, "fn=") is { } caller)
            {
                // Who is called by nobody that was seen, as a thread's first method, has its place too.
                Count(file, Resolve(caller, names), 0);
            }
            else if (Value(line, "cfn=") is { } called)
            {
                callee = Resolve(called, names);
            }
            else if (Value(line, "calls=") is { } count)
            {
                Count(calleeFile, callee, long.Parse(count.AsSpan(0, count.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture));
                calleeFile = file;
            }
        }

        return [.. calls.OrderByDescending(static call => call.Value).Select(static call => call.Key)];

        void Count(string inFile, string name, long times)
        {
            if ((inFile == program || inFile == NotTold) && IsManaged(name))
            {
                // A method within itself has a name of its own: name'2.
                var plain = name.Split('\'')[0];
                calls[plain] = calls.GetValueOrDefault(plain) + times;
            }
        }
    }

    private static string? Value(string line, string key) => line.StartsWith(key, StringComparison.Ordinal) ? line[key.Length..] : null;

    private static string Resolve(string text, Dictionary<string, string> known)
    {
        var end = text.IndexOf(')', StringComparison.Ordinal) + 1;
        var number = text[..end];
        return text.Length > end ? known[number] = text[end..].Trim() : known[number];
    }

    /// <summary>Names of C++ have arguments or scopes; an address stands for what has no name.</summary>
    private static bool IsManaged(string name) => name.AsSpan().IndexOfAny("(:@") < 0 && !name.StartsWith("0x", StringComparison.Ordinal);
}
