using System.Text.Json;

namespace LlmProxy.Core.Configuration;

/// <summary>One thing that is wrong, or doubtful, in a configuration.</summary>
/// <param name="IsError">True if the configuration cannot be used because of it; false for a warning.</param>
/// <param name="Line">The line in the file, from 1; 0 where there is no file.</param>
/// <param name="Path">Where it is, for example <c>Models › gpt-5[0]</c>.</param>
/// <param name="Message">What is wrong and what to write instead. Never holds a secret.</param>
public sealed record ConfigurationProblem(bool IsError, int Line, string Path, string Message)
{
    /// <summary>One line for people, for example <c>error  line 17  Models › gpt-5[0]: …</c>.</summary>
    public override string ToString() =>
        (IsError ? "error  " : "warn   ") + (Line > 0 ? $"line {Line}  " : "") + (Path.Length > 0 ? $"{Path}: " : "") + Message;

    /// <summary>Writes some of them as the member <c>problems</c> of the object that is being written.</summary>
    public static void WriteAll(Utf8JsonWriter json, IEnumerable<ConfigurationProblem> problems)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(problems);
        json.WriteStartArray("problems"u8);
        foreach (var problem in problems)
        {
            json.WriteStartObject();
            json.WriteString("severity"u8, problem.IsError ? "error"u8 : "warning"u8);
            if (problem.Line > 0)
            {
                json.WriteNumber("line"u8, problem.Line);
            }

            json.WriteString("path"u8, problem.Path);
            json.WriteString("message"u8, problem.Message);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}

/// <summary>A configuration that cannot be used; carries all its problems, not only the first.</summary>
public sealed class LlmProxyConfigurationException : Exception
{
    /// <summary>Creates it from the problems found.</summary>
    public LlmProxyConfigurationException(string source, IReadOnlyList<ConfigurationProblem> problems)
        : base(Describe(source, problems))
    {
        Problems = problems;
    }

    /// <summary>Everything that was found, warnings included, in the order of the file.</summary>
    public IReadOnlyList<ConfigurationProblem> Problems { get; }

    private static string Describe(string source, IReadOnlyList<ConfigurationProblem> problems) =>
        string.Join('\n', problems.Select(p => p.ToString()).Prepend($"{source} cannot be used:"));
}
