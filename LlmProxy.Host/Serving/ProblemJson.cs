using System.Text.Json;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Host.Serving;

/// <summary>What is wrong with a configuration, as the member <c>problems</c>: the same for <c>check --json</c> and <c>/readyz</c>.</summary>
internal static class ProblemJson
{
    public static void Write(Utf8JsonWriter json, IEnumerable<ConfigurationProblem> problems)
    {
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
