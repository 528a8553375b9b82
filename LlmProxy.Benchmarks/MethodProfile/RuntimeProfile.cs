using System.Globalization;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>How often a method's branches were taken, and of which classes what it called was.</summary>
/// <param name="Name">Its type and its own name, as the runtime writes them: <c>Space.Type`1+Nested[Argument,Argument].Method</c>.</param>
/// <param name="Parameters">How many it has.</param>
/// <param name="CodeSize">Bytes of its IL.</param>
/// <param name="Records">What was counted.</param>
internal sealed record ProfiledMethod(string Name, int Parameters, int CodeSize, IReadOnlyList<ProfileRecord> Records)
{
    /// <summary>How often what ran most often of it ran.</summary>
    public long Most => Records.Max(static record => record.Runs);
}

/// <summary>One thing that was counted, as the runtime lays it out.</summary>
/// <param name="Kind">Of what, and in what form: <see cref="RuntimeProfile"/>.</param>
/// <param name="Offset">Where in the method's IL.</param>
/// <param name="Other">What else says where it is.</param>
/// <param name="Values">Numbers, or names of types or methods.</param>
internal sealed record ProfileRecord(int Kind, int Offset, int Other, IReadOnlyList<string> Values)
{
    /// <summary>How often a branch or block ran; 0 where something else was counted.</summary>
    public long Runs => Kind is RuntimeProfile.KindOfBranches or RuntimeProfile.KindOfBlocks ? Values.Max(static value => long.Parse(value, CultureInfo.InvariantCulture)) : 0;
}

/// <summary>
/// The counts that .NET's compiler has put into methods, as the runtime writes them down when it ends (<c>DOTNET_WritePGOData</c>): for
/// each method a line of numbers, its name, its signature, and its records with their values.
/// </summary>
internal static class RuntimeProfile
{
    /// <summary>The part of a record's kind that says what its values are.</summary>
    public const int FormMask = 15;

    public const int FormOfNothing = 0;
    public const int FormOfTypes = 3;
    public const int FormOfMethods = 4;

    public const int KindOfBlocks = (1 << 6) | FormOfNumbers;
    public const int KindOfBranches = (6 << 6) | FormOfNumbers;

    private const int FormOfNumbers = 1;
    private const int FormOfPairs = 2;
    private const string Method = "@@@ ";
    private const string End = "*** END";
    private const string Name = "MethodName: ";
    private const string Signature = "Signature: ";
    private const string Record = "Schema ";
    private const string Type = "TypeHandle: ";
    private const string Callee = "MethodHandle: ";

    /// <exception cref="InvalidDataException">The end is missing.</exception>
    /// <exception cref="FormatException">It is written in another way.</exception>
    public static IEnumerable<ProfiledMethod> Read(IEnumerable<string> lines)
    {
        string name = "";
        var (parameters, size, isWhole) = (0, 0, false);
        List<ProfileRecord> records = [];
        List<string> values = [];
        foreach (var line in lines)
        {
            if (line.StartsWith(Method, StringComparison.Ordinal) || line.StartsWith("***", StringComparison.Ordinal))
            {
                if (records.Count > 0)
                {
                    yield return new ProfiledMethod(name, parameters, size, records);
                }

                records = [];
                isWhole = line.StartsWith(End, StringComparison.Ordinal);
                size = line.Split(' ') is [_, _, _, _, _, "ilSize", var hexadecimal, ..] ? int.Parse(hexadecimal.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture) : 0;
            }
            else if (line.StartsWith(Name, StringComparison.Ordinal))
            {
                name = line[Name.Length..];
            }
            else if (line.StartsWith(Signature, StringComparison.Ordinal))
            {
                parameters = ParametersOf(line);
            }
            else if (line.StartsWith(Record, StringComparison.Ordinal))
            {
                values = [];
                records.Add(RecordOf(line, values));
            }
            else
            {
                values.Add(records is [.., var record] ? ValueOf(line, record.Kind) : throw new FormatException("A value belongs to nothing."));
            }
        }

        if (!isWhole)
        {
            throw new InvalidDataException("The counts of the runtime have no end.");
        }
    }

    // Schema InstrumentationKind 385 ILOffset 13 Count 1 Other 30
    private static ProfileRecord RecordOf(string line, List<string> values)
    {
        var words = line.Split(' ');
        return new ProfileRecord(Number(words[2]), Number(words[4]), Number(words[8]), values);
    }

    private static string ValueOf(string line, int kind) => (kind & FormMask) switch
    {
        FormOfTypes => line[Type.Length..],
        FormOfMethods => line[Callee.Length..],
        FormOfPairs when line.Split(' ') is [var low, var high] => Pair(low, high),
        _ => line,
    };

    private static string Pair(string low, string high) =>
        ((long)(((ulong)Unsigned(high) << 32) | Unsigned(low))).ToString(CultureInfo.InvariantCulture);

    // In brackets at its end, and what is between commas there may have some of its own.
    private static int ParametersOf(string signature)
    {
        var (depth, count) = (0, 0);
        var at = signature.Length - 1;
        for (; at >= 0; at--)
        {
            switch (signature[at])
            {
                case ')' or ']' or '>':
                    depth++;
                    break;
                case '(' when depth == 1:
                    return signature[at + 1] == ')' ? 0 : count + 1;
                case '(' or '[' or '<':
                    depth--;
                    break;
                case ',' when depth == 1:
                    count++;
                    break;
            }
        }

        return count;
    }

    private static uint Unsigned(string text) => uint.Parse(text, CultureInfo.InvariantCulture);

    private static int Number(string text) => (int)Unsigned(text);
}
