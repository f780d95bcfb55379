using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace FacadeTests;

/// <summary>
/// The public surface as text, a line per member, for the approval file: what a program that was compiled against the façade can
/// see of it, nullability included.
/// </summary>
internal static class PublicSurface
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(short)] = "short",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
        [typeof(string)] = "string",
        [typeof(object)] = "object",
        [typeof(nint)] = "nint",
    };

    internal static string Of(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(Head(type)).Append('\n');
            var lines = type.IsEnum
                ? Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt32(Enum.Parse(type, name))}")
                : type.GetMembers(Declared).Where(IsShown).Select(Line).Order(StringComparer.Ordinal).AsEnumerable();
            foreach (var line in lines)
            {
                text.Append("    ").Append(line).Append('\n');
            }
        }
        return text.ToString();
    }

    private static bool IsRecord(Type type) => type.GetMethod("<Clone>$") is not null;

    private static string Head(Type type)
    {
        var kind =
            type.IsEnum ? "enum"
            : type.IsValueType ? "struct"
            : type.IsInterface ? "interface"
            : type is { IsAbstract: true, IsSealed: true } ? "static class"
            : (
                type.IsAbstract ? "abstract "
                : type.IsSealed ? "sealed "
                : ""
            ) + (IsRecord(type) ? "record" : "class");
        var bases = (
            type.BaseType is { } parent && parent != typeof(object) && !type.IsEnum ? [parent] : Type.EmptyTypes
        )
            .Concat(type.IsEnum ? [] : type.GetInterfaces().Except(type.BaseType?.GetInterfaces() ?? []))
            .Select(NameOf)
            .Order(StringComparer.Ordinal);
        var list = string.Join(", ", bases);
        return $"{kind} {type.FullName!.Replace('+', '.')}{(list == "" ? "" : " : " + list)}";
    }

    // Accessors are shown with their property, and what the compiler makes for records is the same for all.
    private static bool IsShown(MemberInfo member) =>
        !member.IsDefined(typeof(CompilerGeneratedAttribute))
        && member is not Type
        && !(member is MethodInfo { IsSpecialName: true } method && !method.Name.StartsWith("op_"));

    private static string Line(MemberInfo member) =>
        member switch
        {
            ConstructorInfo made => $"new({Parameters(made)})",
            MethodInfo method =>
                $"{Static(method)}{Text(new NullabilityInfoContext().Create(method.ReturnParameter))} {method.Name}{Generic(method)}({Parameters(method)})",
            PropertyInfo property => Property(property),
            FieldInfo field => $"{(field.IsStatic ? "static " : "")}{NameOf(field.FieldType)} {field.Name}",
            _ => member.ToString()!,
        };

    private static string Property(PropertyInfo property)
    {
        var getter = property.GetMethod!;
        var indices = property.GetIndexParameters();
        var name = indices.Length == 0 ? property.Name : $"this[{string.Join(", ", indices.Select(Parameter))}]";
        var setter =
            property.SetMethod is not { IsPublic: true } set ? ""
            : set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? " init;"
            : " set;";
        var required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        return $"{Static(getter)}{required}{Text(new NullabilityInfoContext().Create(property))} {name} {{ get;{setter} }}";
    }

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Generic(MethodInfo method) =>
        method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(NameOf))}>" : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter)
    {
        var type = Text(new NullabilityInfoContext().Create(parameter));
        var way =
            parameter.IsOut ? "out "
            : parameter.ParameterType.IsByRef ? "ref "
            : "";
        var standard = parameter.HasDefaultValue ? " = " + Value(parameter.DefaultValue) : "";
        return $"{way}{type} {parameter.Name}{standard}";
    }

    private static string Value(object? value) =>
        value switch
        {
            null => "default",
            string text => $"\"{text}\"",
            bool flag => flag ? "true" : "false",
            _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture)!,
        };

    // A type with its question marks.
    private static string Text(NullabilityInfo info)
    {
        var type = info.Type.IsByRef ? info.Type.GetElementType()! : info.Type;
        if (Nullable.GetUnderlyingType(type) is { } inner)
        {
            return NameOf(inner) + "?";
        }
        var mark =
            !type.IsValueType && !type.IsGenericParameter && info.ReadState is NullabilityState.Nullable ? "?" : "";
        return type.IsArray && info.ElementType is { } element
                ? $"{Text(element)}[{new string(',', type.GetArrayRank() - 1)}]{mark}"
            : type.IsGenericType && info.GenericTypeArguments.Length == type.GetGenericArguments().Length
                ? $"{Bare(type)}<{string.Join(", ", info.GenericTypeArguments.Select(Text))}>{mark}"
            : NameOf(type) + mark;
    }

    private static string Bare(Type type) => type.Name.Split('`')[0];

    private static string NameOf(Type type) =>
        Keywords.TryGetValue(type, out var keyword) ? keyword
        : Nullable.GetUnderlyingType(type) is { } inner ? NameOf(inner) + "?"
        : type.IsArray ? $"{NameOf(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]"
        : type.IsGenericType ? $"{Bare(type)}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>"
        : type.Name;
}
