using System.Text.Json;

namespace LlmProxy.Core.Protocol;

/// <summary>Looks into small objects on the way through a large document.</summary>
internal static class JsonMembers
{
    /// <summary>Finds a member of the object that the reader, which stays where it is, stands before. The last one counts, as for most readers.</summary>
    public static bool Find(Utf8JsonReader reader, ReadOnlySpan<byte> name, out Utf8JsonReader value)
    {
        value = reader;
        var found = false;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isIt = reader.ValueTextEquals(name);
                reader.Read();
                if (isIt)
                {
                    value = reader;
                    found = true;
                }

                reader.Skip();
            }
        }

        return found;
    }
}
